"""Data that is in memory already: arrays, data frames and torch datasets, from Python."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, ClassVar, final

from leadline.data.source import Examples, Source

if TYPE_CHECKING:
    from leadline.data.settings import DataSpec


@final
class Memory(Source):
    """Objects in memory: `(X, y)`, a dict of arrays (`{"x": X, "y": y}`, columns by name, or `{"train": (X, y), "test": (X, y)}`), a pandas
    DataFrame with `target=NAME`, a torch TensorDataset, or any map-style torch Dataset of (example, label).

    X of two axes is a table. Three or four axes are pictures: (N, H, W), (N, H, W, C) or (N, C, H, W), told apart by their sizes and said.
    Pictures are kept as bytes: floats from 0 to 1 are multiplied by 255.
    """

    claims: ClassVar[int] = 10

    @classmethod
    def recognises(cls, target: Any) -> str | None:
        if isinstance(target, tuple) and len(target) == 2:
            return "a pair (X, y) in memory"
        if isinstance(target, dict) and target:
            return f"a dict of {len(target)} arrays in memory"
        pandas, torch = sys.modules.get("pandas"), sys.modules.get("torch")
        if pandas is not None and isinstance(target, pandas.DataFrame):
            return f"a DataFrame of {len(target)} rows"
        if torch is not None and isinstance(target, torch.utils.data.Dataset):
            return f"a torch {type(target).__name__}"
        return None

    @classmethod
    def open(cls, target: Any, spec: DataSpec) -> Examples:
        from leadline.data.arrays import open_memory

        return open_memory(target, spec)

    @classmethod
    def tiny(cls, folder: Any) -> Any:
        """(X, y) of scikit-learn's wine samples: (178, 13) floats and three classes."""
        from sklearn.datasets import load_wine

        return load_wine(return_X_y=True)
