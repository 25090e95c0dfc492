"""What the preparers of texts share: choosing and learning a tokenizer, and the length that examples are cut to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from leadline.base.find import find, names
from leadline.record.facts import Guess

if TYPE_CHECKING:
    import torch

    from leadline.data.settings import TextSpec
    from leadline.text.tokenizer import Tokenizer

SHELF = "text.tokenizers"
MOST_LENGTH = 512  # tokens that "auto" allows: attention costs their square
COVERED = 0.99  # of the training texts fit whole into the length that "auto" chooses
MULTIPLE = 8  # lengths are rounded up to it: matrix units like it
MOST_LEARNT = 200_000  # texts that a tokenizer learns from


def tokenizer_for(spec: TextSpec, texts: Sequence[str], *, otherwise: str, why: str) -> tuple[Tokenizer, Guess]:
    """The tokenizer that `spec` names, learnt from the training texts or of a pretrained model; `otherwise` under auto, and `why`."""
    name = otherwise if spec.tokenizer == "auto" else spec.tokenizer
    if name not in names(SHELF) or name == "pretrained":
        found: Tokenizer = find(SHELF, "pretrained").load(name)
        return found, Guess(f"tokenizer of {name}", f"{found.vocabulary:,} tokens", "data.text.tokenizer=NAME")
    found = find(SHELF, name).fit(texts[:MOST_LEARNT], size=spec.vocabulary)
    reason = why if spec.tokenizer == "auto" else "you said so"
    return found, Guess(f"tokenizer {name}, {found.vocabulary:,} tokens", reason, "data.text.tokenizer=NAME (leadline list tokenizers)")


def length_for(spec: TextSpec, lengths: np.ndarray, *, most: int = MOST_LENGTH) -> tuple[int, Guess]:
    """The number of tokens that examples are cut to. lengths: (n,) tokens of the training texts, with what is put around them."""
    if spec.length == "auto":
        needed = int(np.quantile(lengths, COVERED, method="higher")) if len(lengths) else MULTIPLE
        length = min(most, -(-max(needed, 1) // MULTIPLE) * MULTIPLE)
    else:
        length = spec.length
    cut = float((lengths > length).mean()) if len(lengths) else 0.0
    low, middle, high = (int(np.quantile(lengths, share)) for share in (0, 0.5, 1)) if len(lengths) else (0, 0, 0)
    evidence = f"training texts have {low:,} to {high:,} tokens, {middle:,} in the middle; {cut:.1%} are longer and lose their end"
    return length, Guess(f"length {length:,} tokens", evidence, "data.text.length=N")


def filled(rows: Sequence[Sequence[int]], length: int, *, padding: int) -> np.ndarray:
    """(N, length) int32 of lists of ids, cut or filled up at the end."""
    out = np.full((len(rows), length), padding, np.int32)
    for place, ids in enumerate(rows):
        kept = ids[:length]
        out[place, : len(kept)] = kept
    return out


def lengths_in(ids: torch.Tensor, *, padding: int) -> torch.Tensor:
    """(B,) places up to the last that is not padding; at least 1."""
    import torch

    places = torch.arange(1, ids.shape[1] + 1, device=ids.device)
    return ((ids != padding) * places).amax(dim=1).clamp(min=1)
