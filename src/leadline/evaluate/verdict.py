"""In plain words: does the network beat what needs no network? Decided by a paired bootstrap on the same test examples."""

from __future__ import annotations

from collections.abc import Mapping

from leadline.evaluate.baselines import Baseline
from leadline.evaluate.bootstrap import Difference, difference
from leadline.evaluate.predictions import Predictions
from leadline.tasks.task import Task

WORDS = {"majority": "always giving the commonest answer", "linear": "a linear model", "gbdt": "gradient boosting"}
WORDS |= {"repeat_last": "repeating the last value", "seasonal_naive": "repeating the last season"}
WORDS |= {"unigram": "counting tokens", "bigram": "counting which token follows which"}
HEADS = {"majority": "the commonest answer wins here", "linear": "a linear model wins here", "gbdt": "trees win here"}
HEADS |= {"repeat_last": "the last value wins here", "seasonal_naive": "the last season wins here"}
HEADS |= {"unigram": "counts of tokens win here", "bigram": "counts of pairs of tokens win here"}


def verdict(network: Predictions, baselines: Mapping[str, Baseline], *, task: Task, metric_name: str | None = None) -> str:
    """One or two sentences: who is ahead on the first metric that was scored, by how much, and whether the gap is more than noise.

    When the first metric cannot tell and another that looks at the whole ranking (roc_auc) can, that one speaks too.
    """
    if not network.is_finite:
        return "some of the network's outputs are no numbers, so it cannot be held against anything simpler."
    scored = [name for baseline in baselines.values() for name in baseline.scores if name != "loss"]
    first = metric_name or next(iter(scored), task.metrics[0])
    rival = _best(network, baselines, name=first)
    if rival is None:
        return f"no baseline was measured on {first}, so nothing says what the network is worth beside simpler means."
    if not rival[1].is_noise:
        return _decided(*rival, name=first)
    ranking = _best(network, baselines, name="roc_auc") if "roc_auc" in scored else None
    if ranking is None or ranking[1].is_noise:
        return f"{_noise(*rival, name=first)} The simpler one costs less."
    ahead = "the network" if ranking[1].first_is_better else WORDS[ranking[0]]
    return f"{_noise(*rival, name=first)} By roc_auc {ahead} is ahead: {_pair(*ranking)}."


def _pair(rival: str, gap: Difference) -> str:
    return f"{shown(gap.first)} for the network, {shown(gap.second)} for {WORDS[rival]}"


def _noise(rival: str, gap: Difference, *, name: str) -> str:
    margin = f"the 95 % interval of the difference, {shown(gap.low)} to {shown(gap.high)}, holds 0"
    return f"within noise on {name}: {_pair(rival, gap)} ({margin})."


def _decided(rival: str, gap: Difference, *, name: str) -> str:
    if gap.first_is_better:
        return f"the network wins here: it reaches {name} {shown(gap.first)}, {WORDS[rival]} {shown(gap.second)}."
    return f"{HEADS[rival]}: {WORDS[rival]} reaches {name} {shown(gap.second)}, the network {shown(gap.first)}."


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
    if 0.9995 <= abs(value) < 1:
        return f"{value:.5f}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3f}" if abs(value) < 10 else f"{value:.4g}"
