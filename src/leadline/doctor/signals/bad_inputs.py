"""Inputs that say nothing or break everything: numbers that are not finite, and rows that are all the same."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.signals.inputs_seen import InputsSeen
from leadline.doctor.signals.rows import Rows, labels_of, numbers_of

CONSTANT_ROWS = 16  # as many equal rows with different targets are no accident


@dataclass(frozen=True)
class BadInputs:
    """share: of cells that are NaN or infinite. rows, columns: numbers of the first affected ones. what: "NaN" or "infinity".
    breaks: whether a loss or weight became not finite, too. constant: whether all rows are equal though their targets differ.
    """

    share: float
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    what: str
    breaks: bool
    constant: bool
    num_rows: int


def measure(scene: Scene) -> BadInputs:
    """Raises NotExamined where the inputs are not numbers."""
    x = _inputs(scene)
    whole = float(x.sum())  # the cheapest test: one number that a single NaN or infinity spoils
    if math.isfinite(whole) or not _some_bad(x):
        return BadInputs(0.0, (), (), "", False, _is_constant(scene, x), len(x))
    bad = ~torch.isfinite(x.reshape(len(x), -1))
    rows, columns = (bad.any(axis).nonzero().flatten()[:5].tolist() for axis in (1, 0))
    what = "NaN" if bool(x.isnan().any()) else "infinity"
    return BadInputs(float(bad.float().mean()), tuple(rows), tuple(columns), what, _is_broken(scene), False, len(x))


def _inputs(scene: Scene) -> Tensor:
    """What the network was given in recorded steps; the heard sample where it is larger and of numbers."""
    evidence = Evidence(scene)
    seen: InputsSeen = evidence["inputs_seen"]
    if not seen.finite or scene.heard.batch is None:
        return seen.x
    try:
        rows: Rows = evidence["rows"]
    except NotExamined:
        return seen.x
    return rows.x if rows.x.is_floating_point() and rows.heard == "loader" else seen.x


def _some_bad(x: Tensor) -> bool:
    return not bool(torch.isfinite(x).all())


def _is_broken(scene: Scene) -> bool:
    if "nonfinite_at" in scene.kept or any(not math.isfinite(value) for moment in scene.moments for value in moment.values):
        return True
    return any(not math.isfinite(float(p.detach().double().sum())) for p in scene.model.parameters())


def _is_constant(scene: Scene, x: Tensor) -> bool:
    if len(x) < CONSTANT_ROWS or not torch.equal(x[0], x[-1]) or not bool((x == x[:1]).all()):
        return False
    rows: Rows = Evidence(scene)["rows"]
    targets = labels_of(rows.y) if labels_of(rows.y) is not None else numbers_of(rows.y)
    differ = targets is not None and len(targets.unique()) > 1
    return differ or (rows.heard == "loader" and len(rows.batch_N.unique()) > 1 and x[0].numel() > 1)
