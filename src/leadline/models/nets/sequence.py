"""What networks over sequences share: which places are real, one vector of many, and the last layer by port.

Axes: B batch, T places, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from leadline.record.ports import Classes, Embeddings, Frames, NextTokens, PlaceClasses, Port, Tokens, Values


def num_ends(gives: Port) -> int:
    """Width of the last layer."""
    if isinstance(gives, Classes | PlaceClasses):
        return gives.num_classes
    if isinstance(gives, Values):
        return gives.num_values
    if isinstance(gives, NextTokens):
        return gives.vocabulary
    if isinstance(gives, Embeddings):
        return gives.width
    raise TypeError(f"a network over sequences cannot give {gives}")


class Ends(nn.Linear):
    """From features to what the port wants; small weights, so that all answers begin as likely as any other."""

    def __init__(self, width: int, gives: Port) -> None:
        super().__init__(width, num_ends(gives))
        nn.init.normal_(self.weight, std=0.02 if not isinstance(gives, Embeddings) else width**-0.5)
        nn.init.zeros_(self.bias)


def lengths_of(takes: Tokens | Frames, x: Tensor, lengths: Tensor | None) -> Tensor:
    """(B,) real places of each example, at least 1: given with frames, counted to the last token that is not padding."""
    if lengths is not None:
        return lengths.reshape(-1).clamp(1, x.shape[1])
    if isinstance(takes, Frames):
        return torch.full((len(x),), x.shape[1], device=x.device)
    places = torch.arange(1, x.shape[1] + 1, device=x.device)
    return ((x != takes.padding) * places).amax(dim=1).clamp(min=1)


def real(lengths: Tensor, count: int) -> Tensor:
    """(B, count) bool, True for real places."""
    return torch.arange(count, device=lengths.device) < lengths[:, None]


def mean_of(states_BTW: Tensor, lengths: Tensor) -> Tensor:
    """(B, W) mean over the real places."""
    kept = real(lengths, states_BTW.shape[1])[..., None].to(states_BTW.dtype)
    return (states_BTW * kept).sum(1) / lengths[:, None].to(states_BTW.dtype)


def pooled(states_BTW: Tensor, lengths: Tensor) -> Tensor:
    """(B, 2 W): the largest value of each feature over the real places, and their mean."""
    kept = real(lengths, states_BTW.shape[1])[..., None]
    largest = states_BTW.masked_fill(~kept, torch.finfo(states_BTW.dtype).min).amax(1)
    return torch.cat([largest, mean_of(states_BTW, lengths)], dim=-1)
