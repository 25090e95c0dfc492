"""In plain words: does the network beat what needs no network? Decided by a paired bootstrap on the same test examples."""

from __future__ import annotations

from collections.abc import Mapping

from leadline.evaluate.baselines import Baseline
from leadline.evaluate.bootstrap import Difference, difference
from leadline.evaluate.predictions import Predictions
from leadline.tasks.task import Task

WORDS = {"majority": "always giving the commonest answer", "linear": "a linear model", "gbdt": "gradient boosting"}
HEADS = {"majority": "the commonest answer wins here", "linear": "a linear model wins here", "gbdt": "trees win here"}


def verdict(network: Predictions, baselines: Mapping[str, Baseline], *, task: Task, metric_name: str | None = None) -> str:
    """One or two sentences: who is ahead on the first metric that was scored, by how much, and whether the gap is more than noise.

    When the first metric cannot tell and another that looks at the whole ranking (roc_auc) can, that one speaks too.
    """
    if not network.is_finite:
        return "some of the network's outputs are no numbers, so it cannot be held against anything simpler."
    scored = [name for baseline in baselines.values() for name in baseline.scores if name != "loss"]
    first = metric_name or next(iter(scored), task.metrics[0])
    text, decided = _judge(network, baselines, name=first)
    if decided or first == "roc_auc" or "roc_auc" not in scored:
        return text
    second, decided = _judge(network, baselines, name="roc_auc")
    return f"{text} {second[0].upper()}{second[1:]}" if decided else text


def _judge(network: Predictions, baselines: Mapping[str, Baseline], *, name: str) -> tuple[str, bool]:
    """(sentence, whether a difference is real) against the best baseline on one metric."""
    best = _best(network, baselines, name=name)
    if best is None:
        return f"no baseline was measured on {name}, so nothing says what the network is worth beside simpler means", False
    rival, gap = best
    own, theirs = gap.first, gap.second
    pair = f"{WORDS[rival]} reaches {name} {shown(theirs)}, the network {shown(own)}"
    if gap.is_noise:
        margin = f"the 95 % interval of the difference, {shown(gap.low)} to {shown(gap.high)}, holds 0"
        return f"within noise: {pair} ({margin}). The simpler one costs less.", False
    if gap.first_is_better:
        return f"the network wins here: it reaches {name} {shown(own)}, {WORDS[rival]} {shown(theirs)}.", True
    return f"{HEADS[rival]}: {pair}.", True


def _best(network: Predictions, baselines: Mapping[str, Baseline], *, name: str) -> tuple[str, Difference] | None:
    """The baseline against which the network looks worst, with the paired difference."""
    gaps: list[tuple[float, str, Difference]] = []
    for rival, baseline in baselines.items():
        gap = None if baseline.predictions is None else difference(network, baseline.predictions, metric_name=name)
        if gap is not None:
            size = abs(gap.value)
            gaps.append((size if gap.first_is_better else -size, rival, gap))
    if not gaps:
        return None
    _, rival, gap = min(gaps, key=lambda entry: entry[0])
    return rival, gap


def shown(value: float) -> str:
    """A score in three or four digits: 0.927, 43,812, -0.012."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3f}" if abs(value) < 10 else f"{value:.4g}"
