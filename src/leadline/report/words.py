"""How a report says things: names of scores and tasks, numbers a person can read, and which direction is better."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeGuard

NAMES = {
    "roc_auc": "ROC AUC",
    "ece": "calibration error (ECE)",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
    "macro_f1": "macro F1",
    "log_loss": "log loss",
    "top5_accuracy": "top-5 accuracy",
}
LOWER_IS_BETTER = frozenset({"loss", "log_loss", "ece", "rmse", "mae", "perplexity", "bits_per_character", "wer", "cer", "fid"})
TASKS = {
    "classify_images": "telling images apart",
    "classify_table": "giving each row its class",
    "regress_table": "predicting a number for each row",
}
BASELINES = {
    "network": "the network",
    "majority": "always the commonest class",
    "mean": "always the mean",
    "linear": "linear model",
    "gbdt": "gradient-boosted trees",
}
NOT_MEASURED = "not measured"


def score_name(name: str) -> str:
    """A score's name as people write it: "ROC AUC" for roc_auc."""
    return NAMES.get(name, name.replace("_", " "))


def lower_is_better(name: str) -> bool:
    """Whether a smaller number of this score is the better one."""
    return name in LOWER_IS_BETTER


def is_number(value: Any) -> TypeGuard[float]:
    """Whether it is a finite plain number (True and False are not)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def number(value: Any) -> str:
    """A number in three or four digits ("0.927", "43,812", "3.1e-05"); "not defined" for None and NaN, text as it is."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "not defined"
    if not is_number(value):
        return "yes" if value is True else "no" if value is False else str(value)
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    if value == 0:
        return "0"
    if abs(value) < 0.001:
        return f"{value:.1e}"
    if abs(value) < 1 and round(abs(value), 3) == 1:
        return f"{value:.5f}" if round(abs(value), 5) < 1 else f"{value:.7f}"  # 0.99993 is not 1.000, least of all in an AUC
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def duration(seconds: Any) -> str:
    """Seconds as people say them: "48 s", "3 min 20 s", "2 h 5 min"."""
    if not is_number(seconds):
        return NOT_MEASURED
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def plain(value: Any) -> str:
    """Any value of a recipe or of evidence as one line of text."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {plain(part)}" for key, part in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(plain(part) for part in value) or "none"
    if value is None:
        return "none"
    return number(value) if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"train.optimizer.lr": 0.001, ...} from nested mappings; lists stay whole."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{path}.")
        else:
            flat[path] = value
    return flat


SIDES = {"test": "test", "val": "validation", "train": "training"}


def main_metric(scores: Mapping[str, Any]) -> str | None:
    """The score shown first: the first one beside the loss, test before validation before training, else the loss itself."""
    for side in SIDES:
        part = scores.get(side)
        if isinstance(part, Mapping) and part:
            return next((name for name in part if name != "loss"), "loss" if "loss" in part else None)
    return None
