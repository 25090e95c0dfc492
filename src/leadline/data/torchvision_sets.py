"""Opening torchvision's sets with torchvision's own loaders: arrays where a set comes as arrays, files where it comes as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from leadline.base.errors import InputError
from leadline.base.find import module
from leadline.base.spec import nearest
from leadline.data.labelled_arrays import Side, open_arrays
from leadline.data.labelled_pictures import Labelled, open_labelled
from leadline.data.packed import PackedFiles
from leadline.data.settings import DataSpec
from leadline.data.source import Examples
from leadline.data.sources.torchvision_set import PARTS, PREFIX

_ARRAYS = ("CIFAR10", "CIFAR100", "MNIST", "FashionMNIST", "KMNIST", "EMNIST", "USPS", "SVHN", "STL10", "SEMEION")
_LABELS_ATTRIBUTE = {"SVHN": "labels", "STL10": "labels", "SEMEION": "labels"}  # the others call them targets
_CHANNELS_FIRST = ("SVHN", "STL10")
_WITHOUT_CLASSES = ("SVHN", "USPS", "SEMEION")


def open_set(name: str, spec: DataSpec) -> Examples:
    """All parts of the set `name` as examples; see `TorchvisionSet` for the errors."""
    name = _known(name)
    parts = {side: _fetch(name, arguments) for side, arguments in PARTS[name].items()}
    return _from_arrays(name, parts) if name in _ARRAYS else _from_files(name, parts, spec)


def _known(name: str) -> str:
    """The set's exact name, found without regard to case."""
    by_lower = {known.lower(): known for known in PARTS}
    if name.lower() in by_lower:
        return by_lower[name.lower()]
    close = nearest(name, list(PARTS))
    hint = f"did you mean  {PREFIX}{close}  ?" if close else f"there are: {', '.join(sorted(PARTS))}"
    raise InputError("LL023", f"torchvision has no labelled picture set '{name}' that leadline opens", where="data.source", help=hint)


def cache_folder() -> Path:
    """Where torch keeps what it fetched: $TORCH_HOME or ~/.cache/torch, folder datasets."""
    return Path(torch.hub.get_dir()).parent / "datasets"


def _fetch(name: str, arguments: dict[str, Any]) -> Any:
    """One part of a set; torchvision fetches and checks it where it is not in the cache."""
    maker = getattr(module("torchvision.datasets"), name)
    if name not in _ARRAYS:
        arguments = {**arguments, "loader": str}  # give the path: decoding is ours, with its limits
    root = cache_folder()
    try:
        root.mkdir(parents=True, exist_ok=True)
        return maker(str(root), download=True, **arguments)
    except (OSError, RuntimeError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[-1][:100]
        raise InputError(
            "LL006",
            f"torchvision could not fetch {name}: {first}",
            where=str(root),
            help="check the network and try again, or put the set's files there from another machine",
        ) from None


def _from_arrays(name: str, parts: dict[str, Any]) -> Examples:
    sides = []
    for side, part in parts.items():
        pixels = np.asarray(part.data, np.uint8)
        if name in _CHANNELS_FIRST:
            pixels = pixels.transpose(0, 2, 3, 1)
        labels = np.asarray(getattr(part, _LABELS_ATTRIBUTE.get(name, "targets"))).astype(np.int64)
        known = None if name in _WITHOUT_CLASSES else np.asarray(part.classes)
        labels = labels.astype(str) if known is None else known[labels]
        sides.append(Side(side, None if side == "all" else side, pixels if pixels.ndim == 4 else pixels[..., None], labels))
    first = next(iter(parts.values()))
    classes = () if name in _WITHOUT_CLASSES else tuple(dict.fromkeys(first.classes))
    present = {label for side in sides for label in side.labels.tolist()}
    return open_arrays(PREFIX + name, sides, where=str(cache_folder()), classes=[label for label in classes if label in present])


def _from_files(name: str, parts: dict[str, Any], spec: DataSpec) -> Examples:
    paths: list[str] = []
    labels: list[str] = []
    sides: list[str] = []
    for side, part in parts.items():
        for index in range(len(part)):
            path, code = part[index]
            paths.append(str(path))
            name_of_class = part.classes[code]  # Imagenette's are tuples of synonyms
            labels.append(name_of_class if isinstance(name_of_class, str) else str(name_of_class[0]))
            sides.append(side)
    root = cache_folder()
    names = [str(Path(path).relative_to(root)) for path in paths]
    labelled = Labelled(PackedFiles(names, root=root), names, labels, sides if len(parts) > 1 else None, "label")
    return open_labelled(PREFIX + name, labelled, spec)
