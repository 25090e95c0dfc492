"""Connectionist temporal classification (Graves et al. 2006): a class for each frame, from which labels fall out that are fewer.

Axes: B batch, T frames, C classes (0: blank), L labels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

BLANK = 0
NOTHING = -1
"""Fills up rows of labels behind their end."""


def loss(logits_BTC: torch.Tensor, frames_B: torch.Tensor, labels_BL: torch.Tensor) -> torch.Tensor:
    """(B,) -log of the probability of the labels, in nats, summed over all ways to spread them over the frames.

    frames_B: frames of each example; what lies behind them is not looked at. Infinite where there are more labels than frames.
    """
    log_TBC = logits_BTC.float().log_softmax(dim=-1).transpose(0, 1)
    lengths = (labels_BL != NOTHING).sum(dim=1)
    return F.ctc_loss(log_TBC, labels_BL.clamp(min=0), frames_B, lengths, blank=BLANK, reduction="none")


def greedy(logits_BTC: torch.Tensor, frames_B: torch.Tensor) -> torch.Tensor:
    """(B, T) the labels of the best path: the likeliest class of each frame, repeats merged, blanks dropped, then NOTHING."""
    best = logits_BTC.argmax(dim=-1)
    before = F.pad(best[:, :-1], (1, 0), value=BLANK)
    inside = torch.arange(best.shape[1], device=best.device) < frames_B[:, None]
    kept = (best != before) & (best != BLANK) & inside
    place = torch.where(kept, kept.cumsum(dim=1) - 1, best.shape[1])  # what is not kept goes to a column that is cut off
    found = torch.full((len(best), best.shape[1] + 1), NOTHING, dtype=best.dtype, device=best.device)
    return found.scatter_(1, place, best)[:, :-1]
