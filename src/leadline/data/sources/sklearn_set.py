"""The small sets that come with scikit-learn, by name: they need no network and no file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, final

from leadline.data.source import Examples, Source

if TYPE_CHECKING:
    from leadline.data.settings import DataSpec

TABLES = ("breast_cancer", "diabetes", "iris", "wine")
INK = 16  # the digits' darkest level; pictures are brought to 0..255


@final
class SklearnSet(Source):
    """scikit-learn's bundled sets: `digits` (1,797 grey pictures of 8 by 8 pixels, ten classes), and the tables `iris`, `wine`,
    `breast_cancer` (classes) and `diabetes` (a number).

    A file or folder of the same name in the current directory goes first.
    """

    claims: ClassVar[int] = 40

    @classmethod
    def recognises(cls, target: Any) -> str | None:
        if not isinstance(target, str) or target not in ("digits", *TABLES) or Path(target).exists():
            return None
        return f"'{target}' is one of scikit-learn's bundled sets"

    @classmethod
    def open(cls, target: Any, spec: DataSpec) -> Examples:
        from leadline.base.errors import InputError

        if target not in ("digits", *TABLES):
            raise InputError("LL023", f"scikit-learn has no set '{target}'", where="data.source", help=", ".join(("digits", *TABLES)))
        return _digits() if target == "digits" else _table(target, spec)

    @classmethod
    def tiny(cls, folder: Any) -> str:
        """`iris`: 150 rows, three classes."""
        return "iris"


def _digits() -> Examples:
    import numpy as np
    from sklearn.datasets import load_digits

    from leadline.data.labelled_arrays import Side, open_arrays

    digits: Any = load_digits()
    pixels = np.rint(digits.images * (255 / INK)).astype(np.uint8)[..., None]
    return open_arrays("digits", [Side("digit", None, pixels, digits.target.astype(np.str_))], where="digits")


def _table(name: str, spec: DataSpec) -> Examples:
    from sklearn import datasets

    from leadline.data.table import open_frame

    options = {"scaled": False} if name == "diabetes" else {}  # in years and mg/dl, not in standard deviations
    bunch = getattr(datasets, f"load_{name}")(as_frame=True, **options)
    frame = bunch.frame
    if name != "diabetes":
        frame["target"] = [str(bunch.target_names[label]) for label in frame["target"]]
    wanted = spec if spec.target is not None else spec.model_copy(update={"target": "target"})
    return open_frame(frame, wanted, name=name)
