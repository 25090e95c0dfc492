"""From the two tensors of a table to one row of features: numbers as they are, categories one-hot or embedded."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from leadline.models.options import Categories
from leadline.models.shapes import num_features
from leadline.record.ports import Port, Rows


def embedding_width(size: int) -> int:
    """Features for a category of that many codes: half of them, 50 at most (the rule of fast.ai's tabular learner of 2018)."""
    return min(50, (size + 1) // 2)


class Columns(nn.Module):
    """(numbers (B, N), categories (B, K)) to (B, width). one_hot has no weights; embed learns a vector per code."""

    def __init__(self, port: Rows, categories: Categories) -> None:
        super().__init__()
        self.sizes = port.category_sizes
        embed = categories == "embed"
        self.tables = nn.ModuleList([nn.Embedding(size, embedding_width(size)) for size in self.sizes] if embed else [])
        widths = [embedding_width(size) for size in self.sizes] if embed else self.sizes
        self.width = port.num_numbers + sum(widths)

    def forward(self, numbers_BN: Tensor, categories_BK: Tensor) -> Tensor:
        """Features (B, width), float32."""
        codes = categories_BK.unbind(1)
        if len(self.tables):
            parts = [table(code) for table, code in zip(self.tables, codes, strict=True)]
        else:
            parts = [F.one_hot(code, size).to(numbers_BN.dtype) for code, size in zip(codes, self.sizes, strict=True)]
        return torch.cat([numbers_BN, *parts], dim=1)


class Pixels(nn.Module):
    """Images (B, C, H, W) to (B, C*H*W), in the order of channels, rows, columns."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Features (B, width)."""
        return x_BCHW.flatten(1)


def encoder(port: Port, categories: Categories) -> Columns | Pixels:
    """What makes one row of features of the port's tensors."""
    return Columns(port, categories) if isinstance(port, Rows) else Pixels(num_features(port))
