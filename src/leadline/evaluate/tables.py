"""Tables of predictions: the rows of predictions/*.parquet, the confusion matrix, and which examples deserve a look."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from leadline.evaluate.predictions import Predictions
from leadline.record.counts import ClassScores, confusion, per_class

if TYPE_CHECKING:
    import pyarrow

# One column per class stays readable and small up to here; beyond it the chosen class and its confidence are kept.
MOST_CLASS_COLUMNS = 50


def prediction_table(predictions: Predictions, names: Sequence[str], *, classes: Sequence[str] = ()) -> pyarrow.Table:
    """index, name, target, prediction, (confidence,) loss, and p_<class> for up to 50 classes; one row per example.

    names: how a person finds each example, by its number in the collection (`Examples.names`). classes: labels in the order of the
    codes; without them target and prediction are numbers in the user's units.
    """
    import pyarrow

    columns: dict[str, Any] = {"index": predictions.index, "name": [str(names[i]) for i in predictions.index]}
    columns |= _classes(predictions, classes) if classes else _values(predictions)
    return pyarrow.table(columns)


def _classes(predictions: Predictions, classes: Sequence[str]) -> dict[str, Any]:
    probabilities = predictions.outputs["probabilities"]
    chosen = probabilities.argmax(axis=1)
    columns: dict[str, Any] = {
        "target": [classes[code] for code in predictions.truth],
        "prediction": [classes[code] for code in chosen],
        "confidence": probabilities.max(axis=1),
        "loss": predictions.losses,
    }
    if len(classes) <= MOST_CLASS_COLUMNS:
        columns |= {f"p_{label}": probabilities[:, code] for code, label in enumerate(classes)}
    return columns


def _values(predictions: Predictions) -> dict[str, Any]:
    if predictions.needs == "texts":
        written, right = predictions.scored.T
        return {"target": [str(text) for text in right], "prediction": [str(text) for text in written], "loss": predictions.losses}
    if predictions.needs != "values":
        return {"loss": predictions.losses}
    values = predictions.outputs["values"].reshape(len(predictions), -1)
    truth = predictions.truth.reshape(len(predictions), -1)
    if values.shape[1] == 1:
        return {"target": truth[:, 0], "prediction": values[:, 0], "loss": predictions.losses}
    several = {f"target_{i}": truth[:, i] for i in range(truth.shape[1])}
    return several | {f"prediction_{i}": values[:, i] for i in range(values.shape[1])} | {"loss": predictions.losses}


def write_predictions(path: Path, predictions: Predictions, *, names: Sequence[str], classes: Sequence[str] = ()) -> Path:
    """Write `prediction_table` as Parquet; the folder is made when missing."""
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(prediction_table(predictions, names, classes=classes), path, compression="zstd")
    return path


def confusion_of(predictions: Predictions) -> np.ndarray:
    """(C, C) counts, rows the true class and columns the predicted one."""
    probabilities = predictions.outputs["probabilities"]
    return confusion(predictions.truth, probabilities.argmax(axis=1), num_classes=probabilities.shape[1])


def per_class_of(predictions: Predictions) -> ClassScores:
    """Precision, recall, F1 and support of each class."""
    return per_class(confusion_of(predictions))


def worst(predictions: Predictions, count: int = 16) -> np.ndarray:
    """Positions of the examples with the highest loss, worst first."""
    return np.argsort(-predictions.losses, kind="stable")[:count]


def surest_wrong(predictions: Predictions, count: int = 16) -> np.ndarray:
    """Positions of the wrongly classified examples with the highest confidence, surest first; where no class is named, of the largest
    errors."""
    if "probabilities" not in predictions.outputs:
        return worst(predictions, count)
    probabilities = predictions.outputs["probabilities"]
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != predictions.truth)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:count]


def deserve_a_look(predictions: Predictions, count: int = 16) -> np.ndarray:
    """The examples' numbers (`index`) that the report shows: the worst and the surest wrong ones, without repeats."""
    return np.unique(predictions.index[np.concatenate([worst(predictions, count), surest_wrong(predictions, count)])])
