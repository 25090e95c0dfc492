"""Columns that alone predict the target: fitted on one half of the rows, scored on the other, beside what the target's own mean gives."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from leadline.data.row_names import counted
from leadline.data.source import Examples
from leadline.record.facts import Column, Problem

MOST_ROWS = 20_000  # enough to tell 0.98 from 0.97 with room to spare
FEWEST_ROWS = 20
TOO_GOOD = 0.98  # balanced accuracy, or explained variance, that one honest column hardly reaches
NEARLY = 0.9  # of the way from a constant answer to a perfect one: suspect where the other columns tell little
LITTLE = 0.3  # of that way: what the middle column may tell, for a nearly perfect one to stand out


def leaking_columns(examples: Examples, *, seed: int) -> Iterable[Problem]:
    """A problem that names every used column that alone scores above 0.98, or gets 90 % of the way where most tell little.

    Beside each score stands that of always saying the same.
    """
    targets = examples.targets
    if targets is None or len(targets) < FEWEST_ROWS:
        return
    rows = np.random.default_rng(seed).permutation(len(targets))[:MOST_ROWS]
    frame, goal = examples.fetch(rows), targets[rows]
    half = len(rows) // 2
    is_classes = examples.facts.target_kind == "classes"
    codes = pd.factorize(goal, sort=True)[0] if is_classes else goal.astype(np.float64)
    scores = [
        (column.name, _score(_values(frame, column), codes, half=half, is_classes=is_classes))
        for column in examples.facts.columns
        if column.used and column.kind in ("number", "category", "date")
    ]
    baseline = 1 / max(1, len(np.unique(codes[half:]))) if is_classes else 0.0
    found = _suspect(sorted(scores, key=lambda pair: -pair[1]), baseline)
    if not found:
        return
    measure = "balanced accuracy" if is_classes else "explained variance"
    items = tuple(f"{name}: {score:.3f}, {score - baseline:.3f} above a constant answer ({baseline:.3f})" for name, score in found)
    names = ", ".join(name for name, _ in found[:3])
    text = (
        f"{counted(len(found), 'column')} that alone predict '{examples.facts.target}': {measure} up to {found[0][1]:.3f} on unseen rows; "
        f"what is not known before the answer should be left out: data.ignore=[{names}]"
    )
    yield Problem("leak", "suspect", len(found), items[:20], text)


def _suspect(best_first: list[tuple[str, float]], baseline: float) -> list[tuple[str, float]]:
    """The columns that are too good to be honest, best first."""
    skills = {name: (score - baseline) / (1 - baseline) if baseline < 1 else 0.0 for name, score in best_first}
    stands_out = len(skills) > 2 and float(np.median(list(skills.values()))) < LITTLE
    return [(name, score) for name, score in best_first if score > TOO_GOOD or (stands_out and skills[name] > NEARLY)]


def _values(frame: pd.DataFrame, column: Column) -> np.ndarray:
    """(rows, 1) float64, NaN where missing; categories as codes."""
    series = frame[column.name]
    if column.kind == "category":
        return pd.factorize(series, use_na_sentinel=False)[0].astype(np.float64)[:, None]
    if column.kind == "date":
        return np.where(series.isna(), np.nan, series.astype("int64").to_numpy(dtype=np.float64))[:, None]
    return series.to_numpy(dtype=np.float64)[:, None]


def _score(values: np.ndarray, goal: np.ndarray, *, half: int, is_classes: bool) -> float:
    """Of the half that the tree did not see: balanced accuracy, or explained variance (R2)."""
    from sklearn.metrics import r2_score
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if np.isnan(values).all() or len(np.unique(values[:half])) < 2:
        return 0.0
    leaf = max(2, half // 500)  # so that a column of distinct values cannot be learnt by heart
    kind = DecisionTreeClassifier if is_classes else DecisionTreeRegressor
    tree = kind(min_samples_leaf=leaf, max_leaf_nodes=256, random_state=0).fit(values[:half], goal[:half])
    guess = tree.predict(values[half:])
    if not is_classes:
        return float(r2_score(goal[half:], guess))
    classes = np.unique(goal[half:])
    return float(np.mean([(guess[goal[half:] == name] == name).mean() for name in classes]))
