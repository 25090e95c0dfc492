"""The layer table: what a network is made of, what comes out of each layer, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

MOST_ROWS = 40  # a screen; deeper networks are folded to their blocks
FEWEST_ROWS = 6  # a network folded to less than this says too little about itself


@dataclass(frozen=True)
class Row:
    """One layer, or a folded block. shape: of its output, with the batch; empty when it gave no tensor.

    flops: of the whole batch, forward only, two per multiply-add; norms and activations are not counted.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    trainable: int
    flops: int


class Call(NamedTuple):
    """Shapes of the first input and the output of a module."""

    takes: tuple[int, ...]
    gives: tuple[int, ...]


@dataclass(frozen=True)
class Summary:
    """The table of a network on one batch; every layer that holds weights or changes the shape stands in `rows`."""

    rows: tuple[Row, ...]
    parameters: int
    trainable: int
    flops: int
    batch_size: int

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON fields."""
        return asdict(self)

    def table(self) -> str:
        """The table as aligned text, at most 40 rows."""
        rows = _folded(list(self.rows))
        cells = [("layer", "type", "output", "parameters", "trainable", "MFLOPs")]
        for row in rows:
            shape = " x ".join(map(str, row.shape[1:])) or "-"
            cells.append((row.name, row.kind, shape, f"{row.parameters:,}", f"{row.trainable:,}", _mega(row.flops, self)))
        cells.append(("total", "", "", f"{self.parameters:,}", f"{self.trainable:,}", _mega(self.flops, self)))
        widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
        lines = [_aligned(line, widths) for line in cells]
        return "\n".join([*lines, "output and MFLOPs (forward) are for one example"])


def summary(model: nn.Module, inputs: tuple[Tensor, ...]) -> Summary:
    """The table of `model` on one batch. Runs it once in evaluation mode; modes, weights, buffers and generators stay as they are."""
    calls: dict[str, Call] = {}
    with _untouched(model), _recording(model, calls), FlopCounterMode(display=False) as counter, torch.no_grad():
        model(*inputs)
    counts = counter.get_flop_counts()
    root = type(model).__name__
    flops = {key.removeprefix(root).lstrip("."): sum(count.values()) for key, count in counts.items() if key != "Global"}
    weights = list(model.parameters())
    return Summary(
        rows=tuple(_rows(model, calls, flops)),
        parameters=sum(weight.numel() for weight in weights),
        trainable=sum(weight.numel() for weight in weights if weight.requires_grad),
        flops=counter.get_total_flops(),
        batch_size=len(inputs[0]),
    )


@contextmanager
def _untouched(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; afterwards every module's mode, every buffer and the generators are as before."""
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    devices = sorted({weight.device.index for weight in model.parameters() if weight.is_cuda and weight.device.index is not None})
    model.eval()
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        for module, mode in modes:
            module.training = mode
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)


@contextmanager
def _recording(model: nn.Module, calls: dict[str, Call]) -> Iterator[None]:
    """Note under every module's name what its last call took and gave."""

    def note(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                calls[name] = Call(_shape(inputs[0]) if inputs else (), tuple(output.shape))

        return hook

    hooks = [module.register_forward_hook(note(name)) for name, module in model.named_modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(value.shape) if isinstance(value, Tensor) else ()


def _rows(model: nn.Module, calls: dict[str, Call], flops: dict[str, int]) -> list[Row]:
    """One row per module that computes or holds something itself, or changes the shape; the rows add up to the network."""
    rows: list[Row] = []
    for name, module in model.named_modules():
        weights = list(module.parameters(recurse=False))
        children = _children(name, module)
        own_flops = _total(name, module, flops) - sum(_total(child, part, flops) for child, part in children.items())
        call = calls.get(name, Call((), ()))
        if weights or own_flops > 0 or (not children and call.takes != call.gives):
            trainable = sum(weight.numel() for weight in weights if weight.requires_grad)
            rows.append(Row(name or "(itself)", type(module).__name__, call.gives, sum(w.numel() for w in weights), trainable, own_flops))
    return rows


def _children(name: str, module: nn.Module) -> dict[str, nn.Module]:
    return {f"{name}.{child}".lstrip("."): part for child, part in module.named_children()}


def _total(name: str, module: nn.Module, flops: dict[str, int]) -> int:
    """FLOPs of a module with all inside; a list of modules is never called itself, so its parts are added up."""
    return flops.get(name) or sum(_total(child, part, flops) for child, part in _children(name, module).items())


def _folded(rows: list[Row]) -> list[Row]:
    """The rows by ever shorter prefixes of their names until they fit; where that would tell too little, the middle is left out."""
    longer = folded = rows
    for depth in range(max((row.name.count(".") for row in rows), default=0), 0, -1):
        if len(folded) <= MOST_ROWS:
            break
        groups: dict[str, list[Row]] = {}
        for row in rows:
            groups.setdefault(".".join(row.name.split(".")[:depth]), []).append(row)
        longer, folded = folded, [_joined(prefix, group) for prefix, group in groups.items()]
    fits = len(folded) <= MOST_ROWS
    return folded if fits and (len(folded) >= FEWEST_ROWS or folded is rows) else _shortened(longer if fits else folded)


def _shortened(rows: list[Row]) -> list[Row]:
    """The first and last rows, with those between told in one."""
    half = (MOST_ROWS - 1) // 2
    middle = rows[half : len(rows) - half]
    return [*rows[:half], _joined(f"... {len(middle)} more", middle), *rows[len(rows) - half :]] if len(middle) > 1 else rows


def _joined(name: str, rows: list[Row]) -> Row:
    if len(rows) == 1 and not name.startswith("..."):
        return rows[0]
    return Row(
        name,
        f"{len(rows)} layers",
        next((row.shape for row in reversed(rows) if row.shape), ()),
        sum(row.parameters for row in rows),
        sum(row.trainable for row in rows),
        sum(row.flops for row in rows),
    )


def _mega(flops: int, whole: Summary) -> str:
    """Millions for one example."""
    return f"{flops / whole.batch_size / 1e6:,.2f}"


def _aligned(line: tuple[str, ...], widths: list[int]) -> str:
    text, numbers = zip(line[:3], widths[:3], strict=True), zip(line[3:], widths[3:], strict=True)
    return "  ".join([cell.ljust(width) for cell, width in text] + [cell.rjust(width) for cell, width in numbers])
