"""The training data as a table: one row an example, its input, its target, and the batch that it came in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Subset, TensorDataset, default_collate

from leadline.doctor.evidence import NotExamined, Scene
from leadline.doctor.moment import Moment, Sample
from leadline.doctor.signals.pair import pair_of
from leadline.doctor.tape import flatten

STORED = 8192  # rows of a stored set that are read: enough for any statistic here


@dataclass(frozen=True)
class Rows:
    """x, y: inputs and targets on the host, along the first axis (y is None where targets are not in the batch). batch_N: number of each
    row's batch, in the order given. places: which leaves of a batch they are. heard: from a loader ("loader") or from steps ("steps").
    """

    x: Tensor
    y: Tensor | None
    batch_N: Tensor
    places: tuple[int, int | None]
    heard: str

    @property
    def is_reconstruction(self) -> bool:
        """Whether the target is the input itself."""
        return self.y is not None and self.y.shape == self.x.shape and self.y.dtype == self.x.dtype and torch.equal(self.x, self.y)


def measure(scene: Scene) -> Rows:
    """Raises NotExamined. Kept until twice as many rows were heard."""
    known = scene.kept.get("rows_heard")
    size = _size(scene)
    if known is not None and size < 2 * known[0] and not (scene.ended and size > known[0]):
        return known[1]
    rows = _from_loader(scene) or _from_steps(scene)
    if rows is None:
        raise NotExamined("inputs and targets of the training data could not be told apart")
    scene.kept["rows_heard"] = (size, rows)
    return rows


def _size(scene: Scene) -> int:
    sample = scene.heard.samples.get(scene.heard.train_loader or -1)
    return sample.rows if sample is not None and sample.rows else len(scene.moments)


def _from_loader(scene: Scene) -> Rows | None:
    sample = scene.heard.samples.get(scene.heard.train_loader or -1)
    if sample is None or not sample.batches or not scene.moments:
        return None
    places = batch_places(scene.first)
    return None if places is None else table(sample, places)


def table(sample: Sample, places: tuple[int, int | None]) -> Rows | None:
    """A loader's sample as Rows; None where its batches do not fit together."""
    x = sample.leaf(places[0])
    y = sample.leaf(places[1]) if places[1] is not None else None
    if x is None or x.ndim == 0 or (y is not None and len(y) != len(x)):
        return None
    sizes = [len(batch[places[0]]) for batch in sample.batches if len(batch) > places[0]]
    return Rows(x, y, torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes)), places, "loader")


def _from_steps(scene: Scene) -> Rows | None:
    """Inputs and targets of the recorded steps, each batch once."""
    xs: list[Tensor] = []
    ys: list[Tensor] = []
    for moment in scene.moments:
        x = next((t for t in moment.inputs if t.ndim), None)
        y = _target(moment)
        if x is None or y is None or not len(y) or len(x) != len(y) or any(t.shape == x.shape and torch.equal(t, x.cpu()) for t in xs):
            continue
        if not xs or (x.shape[1:] == xs[0].shape[1:] and y.shape[1:] == ys[0].shape[1:]):
            xs.append(x.cpu())
            ys.append(y)
    if not xs:
        return None
    numbers = torch.repeat_interleave(torch.arange(len(xs)), torch.tensor([len(x) for x in xs]))
    return Rows(torch.cat(xs), torch.cat(ys), numbers, (0, 1), "steps")


def _target(moment: Moment) -> Tensor | None:
    try:
        target = pair_of(moment).targets
    except NotExamined:
        return None
    return target if target.ndim else None


def batch_places(moment: Moment) -> tuple[int, int | None] | None:
    """Which leaves of a batch are the network's input and the loss's target: by content, else by shape, else the first and the second."""
    leaves = [leaf.detach() for leaf in flatten(moment.batch)[0] if isinstance(leaf, Tensor)]
    if not leaves or leaves[0].ndim == 0:
        return None
    given = next((t for t in moment.inputs if t.ndim), None)
    x = _place(leaves, given)
    x = 0 if x is None else x
    y = _place(leaves, _target(moment))
    if y is None and len(leaves) == 2:
        y = 1 - x
    elif y is None and len(leaves) > 2 and x != len(leaves) - 1:
        y = len(leaves) - 1
    return x, y


def _place(leaves: list[Tensor], wanted: Tensor | None) -> int | None:
    if wanted is None:
        return None
    wanted = wanted.cpu()
    for number, leaf in enumerate(leaves):
        if leaf.numel() == wanted.numel() and torch.equal(leaf.cpu().flatten().to(wanted.dtype), wanted.flatten()):
            return number
    alike = [n for n, leaf in enumerate(leaves) if leaf.shape == wanted.shape and leaf.dtype == wanted.dtype]
    return alike[0] if len(alike) == 1 else None


def stored(loader: Any) -> list[Tensor] | None:
    """The leaves of a loader's whole data set in its own order (at most STORED rows); None where it is not made of plain tensors."""
    inner, indices = inner_dataset(loader)
    if type(inner) is not TensorDataset or getattr(loader, "collate_fn", None) is not default_collate:
        return None
    if indices is None:
        return [tensor[:STORED].cpu() for tensor in inner.tensors]
    chosen = torch.as_tensor(indices)[:STORED]
    return [tensor[chosen.to(tensor.device)].cpu() for tensor in inner.tensors]


def inner_dataset(loader: Any) -> tuple[Any, list[int] | None]:
    """The data set under the Subsets of a loader, and the indices that they leave (None: all)."""
    dataset = getattr(loader, "dataset", None)
    indices: list[int] | None = None
    while isinstance(dataset, Subset):
        own = list(dataset.indices)
        indices = own if indices is None else [own[i] for i in indices]
        dataset = dataset.dataset
    return dataset, indices


def labels_of(y: Tensor | None) -> Tensor | None:
    """Class numbers (long, one a row) where targets are classes or 0/1; None where they are something else."""
    if y is None or (y.ndim == 2 and y.shape[1] != 1) or y.ndim > 2 or not len(y):
        return None
    flat = y.flatten()
    if not flat.is_floating_point():
        return flat.long()
    return flat.long() if bool(((flat == 0) | (flat == 1)).all()) else None


def numbers_of(y: Tensor | None) -> Tensor | None:
    """Targets that are one number a row."""
    if y is None or not y.is_floating_point() or (y.ndim == 2 and y.shape[1] != 1) or y.ndim > 2 or labels_of(y) is not None:
        return None
    return y.flatten().double()


def flat(x: Tensor, width: int = 4096) -> Tensor:
    """Each row as float numbers, at most `width` of them, evenly spread."""
    rows = x.reshape(len(x), -1)
    return rows[:, :: max(1, -(-rows.shape[1] // width))].float()
