"""How much of what the loss counts is padding: rows that end in one value, in the inputs and in the targets at the same places."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.signals.pair import Pair

ROWS = 8  # fewer rows could end alike by chance


@dataclass(frozen=True)
class Padding:
    """share: of the counted targets that are padding. value: the target there. of: "tokens" or "pictures"."""

    share: float
    value: int
    of: str


def measure(scene: Scene) -> Padding:
    """Raises NotExamined where targets are not one a position, or the loss is put together by hand."""
    pair: Pair = Evidence(scene)["pair"]
    if pair.kind != "classes" or not pair.loss or pair.reduction == "none":
        raise NotExamined("the loss does not take the mean over positions by itself")
    x = next((t.cpu() for t in scene.last.inputs if t.ndim >= 2), None)
    if x is None or len(x) < ROWS or pair.targets.is_floating_point():
        raise NotExamined("there are no positions")
    found = _of_tokens(x, pair) if not x.is_floating_point() else _of_pictures(x, pair)
    ignored = int(pair.options.get("ignore_index", -100)) == found.value
    weight = pair.options.get("weight")
    weightless = weight is not None and 0 <= found.value < len(weight) and float(weight[found.value]) == 0
    return Padding(0.0, found.value, found.of) if ignored or weightless or found.value < 0 else found


def _of_tokens(x: Tensor, pair: Pair) -> Padding:
    """Runs of one id at the ends of rows, where the input is one id as well."""
    if x.ndim != 2 or pair.targets.numel() != x.numel() or x.shape[1] < 4:
        raise NotExamined("targets are not one a position of the input")
    y = pair.targets.reshape(x.shape)
    last = y[:, -1]
    value = int(last.mode().values)
    ends = _run(y, value) & _run(x, int(x[:, -1].mode().values))
    lengths = ends.sum(1)
    padded = lengths >= 2
    if float(padded.float().mean()) < 0.5 or not _is_rare_inside(y, ends, value):
        return Padding(0.0, value, "tokens")
    return Padding(float(lengths[padded].sum() / y.numel()), value, "tokens")


def _run(tokens: Tensor, value: int) -> Tensor:
    """Positions from which on a row holds nothing but `value`."""
    return (tokens == value).long().flip(1).cumprod(1).flip(1).bool()


def _is_rare_inside(y: Tensor, ends: Tensor, value: int) -> bool:
    """Whether the value hardly occurs before the ends: a frequent token ends rows by chance."""
    inside = ~ends
    return int(inside.sum()) == 0 or float(((y == value) & inside).sum() / inside.sum()) < 0.25


def _of_pictures(x: Tensor, pair: Pair) -> Padding:
    """Borders on which every picture is one and the same value, and every target one class."""
    y = pair.targets
    if x.ndim != 4 or y.ndim != 3 or y.shape[0] != x.shape[0] or y.shape[1:] != x.shape[2:]:
        raise NotExamined("targets are not one a pixel of the input")
    dead = (x == x[0, :, -1, -1][None, :, None, None]).all(1).all(0) & (y == y[0, -1, -1]).all(0)
    rows, columns = (_whole_lines(dead, axis) for axis in (1, 0))
    height, width = y.shape[1:]
    share = 1 - (height - rows) * (width - columns) / (height * width)
    return Padding(share, int(y[0, -1, -1]), "pictures")


def _whole_lines(dead: Tensor, axis: int) -> int:
    """Rows (axis 1) or columns (axis 0) at the far end, in a whole block, that are dead all along."""
    lines = dead.all(axis)
    return int(lines.flip(0).long().cumprod(0).sum())
