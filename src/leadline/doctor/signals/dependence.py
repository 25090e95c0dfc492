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
    """axis: the batch's axis in the input. mixed: share of other rows that change when one row of the input changes; how much against that

    row's own change. drawn: rows are examples that a loader drew; from_loader: a torch DataLoader of this batch size was heard.
    recurrent: a module that runs over the rows because of batch_first. graph: an input or buffer that ties rows together.
    """

    rows: int
    mixed: float
    strength: float
    drawn: bool
    from_loader: bool
    recurrent: str | None
    graph: bool


def measure(scene: Scene) -> Dependence:
    """Raises NotExamined where rows of inputs and outputs cannot be told."""
    found: StartPass = Evidence(scene)["start_pass"]
    rows = batch_rows(scene)
    if rows < 2:
        raise NotExamined("a batch of one row has no other rows")
    if any(getattr(m, "track_running_stats", True) is False and isinstance(m, nn.modules.batchnorm._BatchNorm) for m in found.twin.model.modules()):  # pyright: ignore[reportPrivateUsage]
        raise NotExamined("batch norm without running statistics mixes rows in eval mode too")
    from_loader = _loader_rows(scene) == rows
    results = [_mixing(found.twin, call, rows) for call in found.calls[:4]]
    known = [each for each in results if each is not None]
    if not known:
        raise NotExamined("rows of the network's inputs and outputs cannot be matched")
    mixed, strength = max(known)
    graph = _ties_rows(found, rows)
    return Dependence(rows, mixed, strength, _drawn(scene), from_loader, _runs_over_rows(found.twin, rows), graph)


def batch_rows(scene: Scene) -> int:
    """How many examples the first batch has: as most of its tensors and the target say. Raises NotExamined."""
    moment = scene.first
    leaves = [leaf for leaf in flatten(moment.batch)[0] if isinstance(leaf, Tensor) and leaf.ndim]
    if leaves:
        return leaves[-1].shape[0]
    if moment.loss is not None and moment.loss.target is not None and moment.loss.target.ndim and moment.inputs and moment.inputs[0].ndim:
        target, given = moment.loss.target.shape[0], moment.inputs[0].shape
        if target in given[:2]:
            return target
        if target % given[0] == 0:
            return given[0]
    raise NotExamined("how many rows a batch has cannot be told")


def _loader_rows(scene: Scene) -> int | None:
    sample = scene.heard.samples.get(scene.heard.train_loader or -1)
    return getattr(sample.loader, "batch_size", None) if sample is not None else None


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
    plain, moved = (_ask(twin, call.path, each, spec) for each in (leaves, changed))
    found = [
        least
        for before, after in zip(plain, moved, strict=True)
        if before.shape == after.shape and (least := _least(before, after, rows)) is not None
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


def _ties_rows(found: StartPass, rows: int) -> bool:
    """An adjacency of the rows, among the inputs or the buffers, or a list of edges."""
    given = [leaf for call in found.calls for leaf in flatten((call.args, call.kwargs))[0] if isinstance(leaf, Tensor)]
    held = [tensor for tensor in found.twin.model.buffers()]
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
