"""Which parts of an input reach which parts of the output: the network asked again on a copy with one row, or the later tokens, changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.signals.start_pass import Asked, StartPass
from leadline.doctor.tape import flatten
from leadline.doctor.twin import Twin

KEEP = True
NOISE = 1e-4  # of the changed row's own change: rounding in larger sums stays below 1e-5


@dataclass(frozen=True)
class Dependence:
    """mixed: share of other rows that change when one row of the input changes. strength: how much, against that row's own change.

    rows: of the batch. drawn: each step gets other rows. sure: that this is the batch is certain.
    recurrent: a module that runs over the rows because of batch_first. graph: an input or buffer that ties rows together.
    """

    rows: int
    mixed: float
    strength: float
    drawn: bool
    sure: bool
    recurrent: str | None
    graph: bool


def measure(scene: Scene) -> Dependence:
    """Raises NotExamined where rows of inputs and outputs cannot be told."""
    found: StartPass = Evidence(scene)["start_pass"]
    rows, sure = batch_rows(scene)
    if rows < 2:
        raise NotExamined("a batch of one row has no other rows")
    if any(
        getattr(m, "track_running_stats", True) is False and isinstance(m, nn.modules.batchnorm._BatchNorm)
        for m in found.twin.model.modules()
    ):  # pyright: ignore[reportPrivateUsage]
        raise NotExamined("batch norm without running statistics mixes rows in eval mode too")
    results = [_mixing(found.twin, call, rows) for call in found.calls[:4]]
    known = [each for each in results if each is not None]
    if not known:
        raise NotExamined("rows of the network's inputs and outputs cannot be matched")
    mixed, strength = max(known)
    graph = ties_rows(found, rows)
    return Dependence(rows, mixed, strength, _drawn(scene), sure, _runs_over_rows(found.twin, rows), graph)


def batch_rows(scene: Scene) -> tuple[int, bool]:
    """How many examples the first batch has, and whether that is sure: a loader of that batch size, or one label for each of the rows."""
    moment = scene.first
    leaves = [leaf for leaf in flatten(moment.batch)[0] if isinstance(leaf, Tensor) and leaf.ndim]
    told = _loader_rows(scene)
    if told is not None and any(told in leaf.shape[:2] for leaf in leaves):
        return told, True
    target = moment.loss.target if moment.loss is not None else None
    if target is not None and target.ndim and moment.inputs and moment.inputs[0].ndim and target.shape[0] == moment.inputs[0].shape[0]:
        labelled = target.ndim == 1 and moment.inputs[0].ndim >= 3 and moment.inputs[0].shape[1] != target.shape[0]
        return target.shape[0], labelled and told is None
    if leaves:
        return leaves[-1].shape[0], False
    raise NotExamined("how many rows a batch has cannot be told")


def _loader_rows(scene: Scene) -> int | None:
    """The batch size of the loader heard, or its whole data set where that is smaller."""
    sample = scene.heard.samples.get(scene.heard.train_loader or -1)
    size = getattr(sample.loader, "batch_size", None) if sample is not None else None
    try:
        return None if size is None or sample is None else min(int(size), len(sample.loader.dataset))
    except TypeError:  # a stream has no length
        return size


def _drawn(scene: Scene) -> bool:
    """Whether steps get other rows: a graph or a cloud is the same at each step."""
    firsts = [moment.inputs[0] for moment in scene.moments[:4] if moment.inputs]
    return len(firsts) > 1 and not all(each.shape == firsts[0].shape and torch.equal(each, firsts[0]) for each in firsts[1:])


def _mixing(twin: Twin, call: Asked, rows: int) -> tuple[float, float] | None:
    """(share of other rows that change, how much) when row 0 becomes another row; None where rows cannot be matched."""
    leaves, spec = flatten((call.args, call.kwargs))
    axes = [_row_axis(leaf, rows) if isinstance(leaf, Tensor) else None for leaf in leaves]
    main = next((n for n, axis in enumerate(axes) if axis is not None), None)
    if main is None or any(isinstance(leaf, Tensor) and leaf.ndim >= 2 and leaf.shape[:2] == (rows, rows) for leaf in leaves):
        return None  # square in the rows: which axis is the batch cannot be told
    other = _most_different(leaves[main], axes[main] or 0)
    changed = [leaf if axis is None else _with_row(leaf, axis, other) for leaf, axis in zip(leaves, axes, strict=True)]
    twin.model.eval()
    plain, again, moved = (_ask(twin, call.path, each, spec) for each in (leaves, leaves, changed))
    if any(not torch.equal(one, two) for one, two in zip(plain, again, strict=True)):
        raise NotExamined("the network answers the same question differently each time, in eval mode and with the same draws")
    found = [
        least
        for before, after in zip(plain, moved, strict=True)
        if before.shape == after.shape
        and before.shape != (rows, rows)  # a table of pairs: contrastive, and meant
        and (least := _least(before, after, rows)) is not None
    ]
    return max(found) if found else None


def _row_axis(leaf: Tensor, rows: int) -> int | None:
    """0 or 1 where that axis is as long as the batch."""
    return next((axis for axis in (0, 1) if leaf.ndim > axis and leaf.shape[axis] == rows), None)


def _most_different(leaf: Tensor, axis: int) -> int:
    by_row = leaf.detach().double().transpose(0, axis).flatten(1) if leaf.ndim > 1 else leaf.detach().double()[:, None]
    return int((by_row - by_row[:1]).norm(dim=1).argmax())


def _with_row(leaf: Tensor, axis: int, other: int) -> Tensor:
    moved = leaf.detach().clone()
    moved.select(axis, 0).copy_(leaf.detach().select(axis, other))
    return moved


def _ask(twin: Twin, path: str, leaves: list[Any], spec: Any) -> list[Tensor]:
    torch.manual_seed(0)  # a dropout that is always on draws the same twice
    args, kwargs = pytree.tree_unflatten(leaves, spec)
    with torch.no_grad():
        made = twin.module_at(path)(*args, **kwargs)
    return [leaf.detach() for leaf in flatten(made)[0] if isinstance(leaf, Tensor) and leaf.is_floating_point()]


def _least(before: Tensor, after: Tensor, rows: int) -> tuple[float, float] | None:
    """The smallest mixing over the ways in which the output's rows may lie; None where none fits."""
    ways: list[Tensor] = []
    change = (after.double() - before.double()).abs()
    for axis in (0, 1):
        if change.ndim > axis and change.shape[axis] == rows:
            ways.append(change.transpose(0, axis).reshape(rows, -1))
    if not ways and change.ndim and change.shape[0] > rows and change.shape[0] % rows == 0:
        folded = change.flatten(1) if change.ndim > 1 else change[:, None]
        ways.append(folded.reshape(rows, -1))
        ways.append(folded.reshape(-1, rows, folded.shape[1]).transpose(0, 1).reshape(rows, -1))
    return min((_share(each) for each in ways), default=None)


def _share(change_RX: Tensor) -> tuple[float, float]:
    by_row = change_RX.amax(1)
    own, others = float(by_row[0]), by_row[1:]
    largest = max(own, float(others.max()))
    if largest == 0:
        return 0.0, 0.0
    return float((others > NOISE * largest).double().mean()), float(others.max()) / max(own, 1e-12)


def ties_rows(found: StartPass, rows: int) -> bool:
    """An adjacency of the rows, among the inputs or the buffers, or a list of edges."""
    given = [leaf for call in found.calls for leaf in flatten((call.args, call.kwargs))[0] if isinstance(leaf, Tensor)]
    held = list(found.twin.model.buffers())
    loose = [value for module in found.twin.model.modules() for value in vars(module).values() if isinstance(value, Tensor)]
    square = any(tensor.ndim >= 2 and tensor.shape[0] == tensor.shape[1] == rows for tensor in (*given, *held, *loose))
    edges = any(tensor.ndim == 2 and 2 in tensor.shape and not tensor.is_floating_point() and tensor.numel() > 2 * rows for tensor in given)
    return square or edges or any(tensor.is_sparse for tensor in (*given, *held, *loose))


def _runs_over_rows(twin: Twin, rows: int) -> str | None:
    """A recurrent or attention part that takes time first."""
    for path, module in twin.model.named_modules():
        if isinstance(module, (nn.RNNBase, nn.MultiheadAttention)) and not module.batch_first:
            return f"{path} ({type(module).__name__})"
    return None
