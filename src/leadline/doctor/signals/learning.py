"""Whether training learns: its loss against its own noise, and against the best answer that looks at no input."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.signals.pair import Pair, label_entropy

EARLY = 20  # steps before which nothing is said about learning: a warm-up may still be at its first rates
FALL = 0.05  # a fall of the loss by a twentieth counts, where it is beyond its noise
SIGMAS = 3.0

Verdict = Literal["learning", "stalled", "diverging", "too early", "adversarial"]


@dataclass(frozen=True)
class Learning:
    """verdict: learning; stalled (the loss did not fall, or not below `trivial`); diverging; too early; adversarial (another network trains
    in the same step, so a loss need not fall). first, last: mean losses of the first and the latest steps. trivial: the loss of the best
    constant answer, where the loss function tells it (ln K for equal classes). values: every step's loss.
    """

    verdict: Verdict
    first: float
    last: float
    best: float
    trivial: float | None
    noise: float
    steps: int
    values: tuple[float, ...]

    @property
    def is_bad(self) -> bool:
        """Whether it plainly does not learn."""
        return self.verdict in ("stalled", "diverging")

    @property
    def in_words(self) -> str:
        """The numbers in a clause."""
        beside = f" (a constant answer reaches {self.trivial:.4g})" if self.trivial is not None else ""
        return f"the loss went {self.first:.4g} -> {self.last:.4g} in {self.steps} steps{beside}"


def measure(scene: Scene) -> Learning:
    """Raises NotExamined where no scalar loss was heard."""
    curve = Evidence(scene)["loss_curve"]
    values: tuple[float, ...] = curve.values
    trivial = _trivial(scene)
    verdict = _verdict(values, trivial, noise=curve.noise)
    if any(_is_trained(scene, tensor) for moment in scene.moments[-1:] for tensor in moment.script.foreign):
        verdict = "adversarial"
    finite = [value for value in values if math.isfinite(value)]
    return Learning(verdict, curve.first, curve.last, min(finite, default=math.nan), trivial, curve.noise, len(values), values)


def _verdict(values: tuple[float, ...], trivial: float | None, *, noise: float) -> Verdict:
    if not all(math.isfinite(value) for value in values[-5:]):
        return "diverging"
    if len(values) < EARLY:
        return "too early"
    window = max(len(values) // 5, 5)
    series = torch.tensor(values, dtype=torch.float64)
    first, last = series[:window], series[-window:]
    error = math.sqrt(float(first.var() + last.var()) / window) + noise / window
    fall = float(first.mean() - last.mean())
    if fall < -max(SIGMAS * error, 0.2 * abs(float(first.mean()))):
        return "diverging"
    if trivial is not None and float(last.mean()) < (1 - FALL) * trivial:
        return "learning"
    reached = trivial is None or float(last.mean()) < trivial
    return "learning" if reached and fall > max(SIGMAS * error, FALL * abs(float(first.mean()))) else "stalled"


def _is_trained(scene: Scene, tensor: torch.Tensor) -> bool:
    """Whether another optimizer that was heard trains this tensor."""
    for known in scene.heard.strangers.values():
        if any(p is tensor for group in known["optimizer"].param_groups for p in group["params"]):
            return True
    return False


def _trivial(scene: Scene) -> float | None:
    """The loss of the best constant answer on the recorded targets; None where the loss function does not tell."""
    try:
        pair: Pair = Evidence(scene)["pair"]
    except NotExamined:
        return None
    if pair.reduction != "mean" or pair.targets.numel() < 2 or pair.options.get("weight") is not None:
        return None
    calls = [moment.loss for moment in scene.moments]
    heard = [call.target.flatten().cpu() for call in calls if call is not None and call.target is not None and call.name == pair.loss]
    if not heard:
        return None
    targets = torch.cat(heard)
    if pair.loss == "cross_entropy" and not targets.is_floating_point():
        return label_entropy(targets, int(pair.options.get("ignore_index", -100)))
    if pair.loss == "mse_loss":
        return float(targets.double().var(correction=0))
    if pair.loss == "l1_loss":
        return float((targets.double() - targets.double().median()).abs().mean())
    if pair.loss in ("binary_cross_entropy", "binary_cross_entropy_with_logits") and pair.options.get("pos_weight") is None:
        share = float(targets.double().mean())
        return -share * math.log(share) - (1 - share) * math.log(1 - share) if 0 < share < 1 else None
    return None
