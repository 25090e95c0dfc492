"""Which class numbers occur, and which the network and the loss have room for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.utils.data import SequentialSampler

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.moment import LossCall
from leadline.doctor.signals.pair import CLASS_LOSSES, Pair
from leadline.doctor.signals.rows import Rows, stored

ENOUGH = 24  # labels of a whole or shuffled set: by chance they would not all be one


@dataclass(frozen=True)
class LabelSets:
    """labels: distinct class numbers, in order; counts: how often. outputs: how many classes the network answers with (0: unknown).
    per_row: one label a row. ignored: the ignore_index, where it is a number that a class could have (None: out of range).
    ignored_share: of the targets. sure: whether the whole data set, or a shuffled part of it, was read.
    problem: what is wrong for certain: "out of range", "constant", "ignored"; or "half" (upper half never occurs), or "".
    """

    labels: tuple[int, ...]
    counts: tuple[int, ...]
    outputs: int
    per_row: bool
    ignored: int | None
    ignored_share: float
    sure: bool
    problem: Literal["out of range", "constant", "ignored", "half", ""]
    error: str = ""


def measure(scene: Scene) -> LabelSets:
    """Raises NotExamined where the targets are not class numbers."""
    failed = scene.heard.loss_failure
    if failed is not None and _is_class_call(failed):
        return _of_failure(failed)
    known = scene.kept.get("label_sets_at")
    if known is None or len(scene.moments) >= 2 * known[0] or (scene.ended and not known[1].sure):
        known = (len(scene.moments), _measured(scene))
        scene.kept["label_sets_at"] = known
    return known[1]


def _measured(scene: Scene) -> LabelSets:
    pair: Pair = Evidence(scene)["pair"]
    outputs = _outputs(pair)
    if outputs < 2:
        raise NotExamined("the targets are not class numbers with an output each")
    targets, sure = _targets(scene, pair)
    ignore = int(pair.options.get("ignore_index", -100))
    kept = targets[(targets >= 0)] if not 0 <= ignore < outputs else targets
    labels, counts = kept.unique(return_counts=True)
    per_row = pair.targets.ndim == 1 and pair.outputs.ndim == 2
    share = float((targets == ignore).float().mean()) if 0 <= ignore < outputs else 0.0
    problem = _problem(labels.tolist(), outputs, per_row=per_row and _one_a_row(scene, pair), sure=sure, rows=len(kept))
    if share and (_row_ignored(scene, pair, share) or _token_ignored(scene, pair, ignore) or _one_left(labels, ignore, sure=sure)):
        problem = "ignored"
    return LabelSets(tuple(labels.tolist()), tuple(counts.tolist()), outputs, per_row, ignore if share else None, share, sure, problem)


def _is_class_call(call: LossCall) -> bool:
    is_class = call.name in CLASS_LOSSES and call.input is not None and call.target is not None and not call.target.is_floating_point()
    return is_class and "out of bounds" in (call.error or "")


def _of_failure(call: LossCall) -> LabelSets:
    assert call.target is not None
    assert call.input is not None
    labels, counts = call.target.cpu().flatten().unique(return_counts=True)
    outputs = call.input.shape[1] if call.input.ndim > 1 else call.input.shape[0]
    return LabelSets(
        tuple(labels.tolist()), tuple(counts.tolist()), outputs, call.target.ndim == 1, None, 0.0, False, "out of range", call.error or ""
    )


def _outputs(pair: Pair) -> int:
    if pair.kind != "classes" or pair.outputs.ndim < 2 or pair.targets.is_floating_point() or pair.targets.dtype == torch.bool:
        return 0
    if pair.loss not in CLASS_LOSSES and (pair.outputs.ndim != 2 or pair.targets.ndim != 1):
        return 0
    return pair.outputs.shape[1]


def _one_a_row(scene: Scene, pair: Pair) -> bool:
    """Whether the targets are one a row of the batch, and not tokens laid out flat."""
    x = next((t for t in scene.last.inputs if t.ndim), None)
    return x is not None and len(x) == len(pair.targets)


def _targets(scene: Scene, pair: Pair) -> tuple[Tensor, bool]:
    """The class numbers that are known, and whether they stand for the whole set."""
    calls = [call for call in (m.loss for m in scene.moments) if call is not None and call.name == pair.loss]
    heard = torch.cat([torch.empty(0, dtype=torch.long), *(call.target.cpu().flatten() for call in calls if call.target is not None)])
    try:
        rows: Rows = Evidence(scene)["rows"]
    except NotExamined:
        return (heard, len(scene.moments) >= 4) if len(heard) else (pair.targets.flatten(), False)
    if rows.heard != "loader" or rows.places[1] is None:
        return (heard if len(heard) else pair.targets.flatten()), len(scene.moments) >= 4
    loader = scene.sample.loader
    whole = stored(loader)
    if whole is not None and not whole[rows.places[1]].is_floating_point():
        return whole[rows.places[1]].flatten(), True
    y = rows.y if rows.y is not None and not rows.y.is_floating_point() else None
    shuffled = not isinstance(getattr(loader, "sampler", None), SequentialSampler)
    return (y.flatten() if y is not None else heard), shuffled or _is_complete(scene)


def _is_complete(scene: Scene) -> bool:
    """Whether a whole epoch stands in the sample."""
    try:
        return len(scene.sample.batches) >= len(scene.sample.loader)
    except TypeError:  # a stream
        return False


def _problem(labels: list[int], outputs: int, *, per_row: bool, sure: bool, rows: int) -> Literal["constant", "half", ""]:
    if not sure or rows < ENOUGH:
        return ""
    if len(labels) == 1:
        return "constant"
    if not per_row:
        return ""
    half = -(-outputs // 2)
    return "half" if 4 <= outputs <= 100 and labels == list(range(half)) and rows >= 8 * outputs else ""


def _row_ignored(scene: Scene, pair: Pair, share: float) -> bool:
    """One label a row, and the loss skips those rows whose class has this number."""
    return pair.targets.ndim == 1 and share < 0.9 and _one_a_row(scene, pair)


def _token_ignored(scene: Scene, pair: Pair, ignore: int) -> bool:
    """A language model whose ignored targets are tokens that its own next inputs show, in the middle of the text."""
    tokens = next((t for t in scene.last.inputs if not t.is_floating_point() and t.ndim == 2), None)
    if tokens is None or pair.targets.numel() != tokens.numel():
        return False
    tokens, targets = tokens.cpu(), pair.targets.reshape(tokens.shape)
    shown = (targets[:, :-1] == tokens[:, 1:]).float().mean() > 0.95
    skipped = targets[:, :-1] == ignore
    followed = (targets[:, 1:] != ignore) & skipped  # padding is followed by padding
    return bool(shown) and int(skipped.sum()) >= 8 and float(followed.sum() / skipped.sum()) > 0.4


def _one_left(labels: Tensor, ignore: int, *, sure: bool) -> bool:
    """Only one class is left to learn."""
    return sure and len(labels) == 2 and bool((labels == ignore).any())
