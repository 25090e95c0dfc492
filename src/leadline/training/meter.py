"""Metrics rows, kept as tensors where they were computed and read together now and then, so that no step waits for its numbers."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

ROWS = 20_000  # train rows of a run at most; a longer run writes every so-many-th step
FLUSH_ROWS = 50
FLUSH_S = 1.0  # so that someone who watches the file sees it move
GROUPS = 12  # layers whose gradient norms are shown apart: as many lines as a plot can bear


class Journal(Protocol):
    """Where rows go (record.journal)."""

    def write(self, rows: Iterable[dict[str, Any]]) -> None: ...

    def offset(self) -> int: ...

    def cut(self, offset: int) -> None: ...


class Silent:
    """The journal of a process that does not write the run."""

    def write(self, rows: Iterable[dict[str, Any]]) -> None:
        """Nothing: the first process writes the same rows."""

    def offset(self) -> int:
        """No byte."""
        return 0

    def cut(self, offset: int) -> None:
        """Nothing."""


class Taken(NamedTuple):
    """One optimizer step as it happened; tensors are scalars on the device unless said.

    losses: by part, each the mean over the step's units; seen: further means. norms: (P,) gradient norms of the parameters `named`;
    norm, clipped: of all gradients together, before and after clipping. skipped: the weights were left as they were.
    """

    losses: dict[str, torch.Tensor]
    seen: dict[str, torch.Tensor]
    examples: int
    norms: torch.Tensor
    named: tuple[str, ...]
    norm: float | torch.Tensor
    clipped: float | torch.Tensor
    skipped: bool = False


Fields = dict[str, Any]


class Meter:
    """Collects steps, writes rows. `add` never waits for the device; `flush` does, once for all rows."""

    def __init__(self, journal: Journal, *, total_steps: int, names: Sequence[str]) -> None:
        self.journal = journal
        self.every = max(1, -(-total_steps // ROWS))
        self.total_steps = total_steps
        self.group_of = layers(names)
        self._losses: list[float] = []
        self._pending: list[tuple[Fields, Taken]] = []
        self._examples = 0
        self._since = time.perf_counter()

    def add(self, taken: Taken, **fields: Any) -> None:
        """Take in one step; fields: the row's step, epoch and lr."""
        self._examples += taken.examples
        step = fields["step"]
        if step % self.every == 0 or step == self.total_steps or taken.skipped:
            self._pending.append((fields, taken))

    @property
    def is_due(self) -> bool:
        """Whether enough rows or time have gathered for a flush."""
        return len(self._pending) >= FLUSH_ROWS or (bool(self._pending) and time.perf_counter() - self._since > FLUSH_S)

    def flush(self, *, until: int | None = None) -> list[Fields]:
        """Write all pending rows, or those up to step `until`, and give them. The one wait for the device."""
        pending = [(fields, taken) for fields, taken in self._pending if until is None or fields["step"] <= until]
        self._pending = []
        rows = self._rows(pending) if pending else []
        if rows:
            self.journal.write(rows)
        self._losses += [row["loss"] for row in rows]
        self.restart_clock()
        return rows

    def restart_clock(self) -> None:
        """Count speed from now on; call it after a pause such as validation."""
        self._examples, self._since = 0, time.perf_counter()

    def end_epoch(self) -> float | None:
        """Flush, and give the mean train loss of the epoch's rows; None when a resumed epoch had none left."""
        self.flush()
        losses, self._losses = [loss for loss in self._losses if math.isfinite(loss)], []
        return math.fsum(losses) / len(losses) if losses else None

    def _rows(self, pending: list[tuple[Fields, Taken]]) -> list[Fields]:
        rate = round(self._examples / max(time.perf_counter() - self._since, 1e-9), 1)
        rows = [self._row(fields, taken, rate) for fields, taken in pending]
        waiting = [(row, key, value) for row in rows for key, value in row.items() if isinstance(value, torch.Tensor)]
        for (row, key, _), number in zip(waiting, _read([value for _, _, value in waiting]), strict=True):
            row[key] = number
        for named in dict.fromkeys(taken.named for _, taken in pending):
            chosen = [number for number, (_, taken) in enumerate(pending) if taken.named == named]
            grouped = self._grouped(torch.stack([pending[number][1].norms for number in chosen]), named)
            for number, norms in zip(chosen, grouped, strict=True):
                rows[number]["grad_norms"] = norms
        return rows

    def _row(self, fields: Fields, taken: Taken, rate: float) -> Fields:
        row = {"step": fields["step"], "epoch": fields["epoch"], "split": "train"}
        if len(taken.losses) == 1:
            (row["loss"],) = taken.losses.values()
        else:
            row["loss"] = sum(taken.losses.values())
            row.update({f"loss_{part}": value for part, value in taken.losses.items()})
        row.update(taken.seen)
        row.update(lr=fields["lr"], grad_norm=taken.norm, grad_norm_clipped=taken.clipped, examples_per_s=rate)
        if taken.skipped:
            row["skipped"] = True
        return row

    def _grouped(self, norms_RP: torch.Tensor, named: tuple[str, ...]) -> list[dict[str, float]]:
        """(R rows, P parameters) norms to one norm per group of layers; squares add up in float64."""
        groups = list(dict.fromkeys(self.group_of[name] for name in named))
        member_PG = np.array([[self.group_of[name] == group for group in groups] for name in named], dtype=np.float64)
        squares_RP = norms_RP.cpu().double().numpy() ** 2
        with np.errstate(invalid="ignore", over="ignore"):
            norms_RG = np.sqrt(squares_RP @ member_PG)
        return [dict(zip(groups, row, strict=True)) for row in norms_RG.tolist()]


def layers(names: Sequence[str]) -> dict[str, str]:
    """Each parameter's group: the longest leading part of its name with which there are at most 12 groups; else 12 runs of neighbours."""
    paths = [name.split(".")[:-1] or [name] for name in names]
    found: list[str] = []
    for depth in range(1, max((len(path) for path in paths), default=0) + 1):
        prefixes = [".".join(path[:depth]) for path in paths]
        if len(set(prefixes)) <= GROUPS:
            found = prefixes
    if not found:
        found = _runs([path[0] for path in paths])
    return dict(zip(names, found, strict=True))


def _runs(firsts: list[str]) -> list[str]:
    """More first components than groups: neighbours share a group named by its ends."""
    distinct = list(dict.fromkeys(firsts))
    size = -(-len(distinct) // GROUPS)
    chunks = [distinct[start : start + size] for start in range(0, len(distinct), size)]
    label = {first: f"{chunk[0]}..{chunk[-1]}" if len(chunk) > 1 else first for chunk in chunks for first in chunk}
    return [label[first] for first in firsts]


def _read(scalars: list[torch.Tensor]) -> list[float]:
    """Scalar tensors as numbers, with one transfer."""
    if all(scalar.device.type == "cpu" for scalar in scalars):
        return [scalar.item() for scalar in scalars]
    wide = torch.float32 if scalars[0].device.type == "mps" else torch.float64  # Apple's GPUs have no float64
    return torch.stack([scalar.detach().to(wide) for scalar in scalars]).tolist()
