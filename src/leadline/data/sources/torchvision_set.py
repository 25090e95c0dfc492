"""torchvision's labelled picture sets by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadline.data.source import Source

if TYPE_CHECKING:
    from leadline.data.settings import DataSpec
    from leadline.data.source import Examples

PREFIX = "torchvision/"
# Parts of each set: {} means a train flag, a tuple the values of `split`, and None that the set comes in one piece.
PARTS: dict[str, dict[str, dict[str, Any]]] = {
    **{
        name: {"train": {"train": True}, "test": {"train": False}}
        for name in ("CIFAR10", "CIFAR100", "MNIST", "FashionMNIST", "KMNIST", "USPS")
    },
    "EMNIST": {"train": {"split": "balanced", "train": True}, "test": {"split": "balanced", "train": False}},
    **{name: {"train": {"split": "train"}, "test": {"split": "test"}} for name in ("SVHN", "STL10", "Food101")},
    **{
        name: {"train": {"split": "train"}, "val": {"split": "val"}, "test": {"split": "test"}}
        for name in ("Flowers102", "DTD", "FGVCAircraft", "RenderedSST2")
    },
    "Country211": {"train": {"split": "train"}, "val": {"split": "valid"}, "test": {"split": "test"}},
    "Imagenette": {"train": {"split": "train"}, "val": {"split": "val"}},
    **{name: {"all": {}} for name in ("EuroSAT", "SUN397", "SEMEION")},
}


class TorchvisionSet(Source):
    """A set that torchvision knows and fetches: torchvision/CIFAR10, or just CIFAR10 where no file or folder has that name.

    Fetched once by torchvision's own code into its cache ($TORCH_HOME or ~/.cache/torch, folder datasets). The split is the set's own.
    Sets: CIFAR10, CIFAR100, MNIST, FashionMNIST, KMNIST, EMNIST (balanced), USPS, SVHN, STL10, Food101, Flowers102, DTD, FGVCAircraft,
    RenderedSST2, Country211, Imagenette, EuroSAT, SUN397, SEMEION.
    """

    claims = 20

    @classmethod
    def recognises(cls, target: Any) -> str | None:
        if not isinstance(target, str) or Path(target).exists():
            return None
        if target.startswith(PREFIX):
            return f"'{target}' names a set of torchvision"
        return f"'{target}' is a set of torchvision" if target in PARTS else None

    @classmethod
    def open(cls, target: Any, spec: DataSpec) -> Examples:
        """Fetch if need be and open. Raises InputError LL006 (no network), LL023 (unknown set), LL024 (torchvision is not installed)."""
        from leadline.data.torchvision_sets import open_set

        return open_set(str(target).removeprefix(PREFIX), spec)

    @classmethod
    def tiny(cls, folder: Any) -> str:
        """MNIST in torchvision's form and place below $TORCH_HOME, which must be `folder`: forty pictures of 16 pixels."""
        from leadline.data.idx import read_idx, write_idx
        from leadline.data.sources.mnist_idx import MnistIdx

        place = Path(folder) / "datasets" / "MNIST" / "raw"
        place.mkdir(parents=True, exist_ok=True)
        for packed in sorted(MnistIdx.tiny(folder).glob("*.gz")):
            write_idx(place / packed.stem, read_idx(packed))
        return "torchvision/MNIST"
