"""Calibration: whether answers are right as often as they are sure."""

from __future__ import annotations

from typing import Any

import numpy as np

from leadline.evaluate.predictions import Predictions
from leadline.record.counts import RELIABILITY_BINS, Reliability, reliability


def reliability_of(predictions: Predictions, bins: int = RELIABILITY_BINS) -> Reliability:
    """The reliability diagram's bins for class predictions: confidence of the chosen class against how often it was right."""
    probabilities = predictions.outputs["probabilities"]
    return reliability(probabilities.max(axis=1), probabilities.argmax(axis=1) == predictions.truth, bins)


def to_rows(diagram: Reliability) -> list[dict[str, Any]]:
    """One plain row per bin that holds examples: {"confidence", "accuracy", "count"}."""
    filled = np.flatnonzero(diagram.count)
    return [
        {"confidence": float(diagram.confidence[i]), "accuracy": float(diagram.accuracy[i]), "count": int(diagram.count[i])} for i in filled
    ]
