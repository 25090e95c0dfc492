"""The preparer contract: raw examples become model inputs, fitted on training rows only, the same in training, prediction and serving."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from leadline.record.ports import Port

if TYPE_CHECKING:
    import torch

    from leadline.data.settings import DataSpec
    from leadline.data.source import Examples
    from leadline.text.tokenizer import Tokenizer


class Preparer(ABC):
    """Two steps. `store`: per example, done once and cached (decode, resize, encode). `inputs`: per batch on the device (normalise).

    Between the two, augmentation acts on the stored form. Everything it knows goes through `to_dict` into model/preprocessor.json.
    """

    kind: ClassVar[str]
    gives: Port
    varies: ClassVar[bool] = False
    """Whether the inputs of a batch are only as long as its longest example, so that batches of like lengths save work."""
    scales: tuple[tuple[float, float], ...] = ()
    """(mean, deviation) that each column was standardised by, where it makes targets of columns."""

    @classmethod
    @abstractmethod
    def fit(cls, examples: Examples, train: np.ndarray, spec: DataSpec) -> Preparer:
        """Learn from the training rows `train` (indices) and from nothing else."""

    @abstractmethod
    def store(self, raw: Any) -> tuple[np.ndarray, ...]:
        """Fixed-shape arrays with the batch first: images (B, C, H, W) uint8; rows (B, numbers) float32 and (B, categories) int64;
        texts (B, length) int32, filled up with padding.

        raw: what `Examples.fetch` gives. Raises InputError LL029 when columns are missing, naming them.
        """

    @abstractmethod
    def inputs(self, stored: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """Model inputs on the tensors' device: images become float32 and normalised, rows pass through. Where `varies`, the stored
        arrays come cut to the longest of the batch."""

    def targets(self, stored: tuple[torch.Tensor, ...]) -> torch.Tensor | None:
        """The targets (B, ...) that lie in the examples themselves: next tokens, tags, masks, as long as the inputs of this batch.

        None where targets stand beside the examples, and the task encodes them.
        """
        return None

    def lengths(self, stored: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """(B, arrays) how much of each stored array (B, length, ...) an example fills, where `varies`; what is beyond is cut off."""
        raise NotImplementedError(f"examples of {self.kind} are all of one length")

    def texts(self) -> Tokenizer | None:
        """What turns its texts into numbers and back, where it has texts."""
        return getattr(self, "tokenizer", None)

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Plain JSON, with "kind"."""

    @classmethod
    @abstractmethod
    def from_dict(cls, fields: dict[str, Any]) -> Preparer:
        """The preparer that `to_dict` wrote."""
