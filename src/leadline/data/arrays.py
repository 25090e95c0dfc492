"""Arrays, frames and torch datasets as examples: what is a table, what are pictures, and how their values become bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from leadline.base.errors import InputError
from leadline.data.dataset_items import is_dataset, items_of
from leadline.data.labelled_arrays import Side, open_arrays
from leadline.data.settings import DataSpec
from leadline.data.source import Examples
from leadline.data.table import open_frame, open_frames
from leadline.data.target import class_labels
from leadline.record.facts import Guess

SIDES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
INPUT_KEYS = ("x", "X", "data", "images", "inputs", "features")
TARGET_KEYS = ("y", "Y", "target", "targets", "label", "labels")
CHANNELS = (1, 3, 4)


def open_memory(target: Any, spec: DataSpec) -> Examples:
    """Open a pair, a dict, a DataFrame or a torch Dataset. InputError LL004, LL013, LL014 or LL030 for what does not fit."""
    if isinstance(target, pd.DataFrame):
        return open_frame(target, spec, name="DataFrame")
    if isinstance(target, dict) and set(target) <= set(SIDES):
        return _open_sides({SIDES[key]: _pair(value, spec) for key, value in target.items()}, spec)
    if isinstance(target, dict):
        pair = _pair_in(target)
        return open_frame(_frame_of(target), spec, name="arrays") if pair is None else _open_sides({None: pair}, spec)
    return _open_sides({None: _pair(target, spec)}, spec)


def _pair(value: Any, spec: DataSpec) -> tuple[Any, Any]:
    """(X, y), y None where there is none."""
    if is_dataset(value):
        return items_of(value)
    if isinstance(value, Mapping):
        pair = _pair_in(value)
        if pair is not None:
            return pair
    if isinstance(value, pd.DataFrame):
        return value, None
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise InputError(
            "LL004",
            f"cannot read a {type(value).__name__} as (X, y)",
            where="data",
            help='give (X, y), or {"train": (X, y), "test": (X, y)}',
        )
    return value[0], value[1]


def _pair_in(arrays: Mapping[str, Any]) -> tuple[Any, Any] | None:
    """X and y under their usual names, when that is all the dict holds."""
    inputs = [key for key in INPUT_KEYS if key in arrays]
    targets = [key for key in TARGET_KEYS if key in arrays]
    if len(inputs) != 1 or len(targets) != 1 or len(arrays) != 2 or np.ndim(as_array(arrays[inputs[0]])) < 2:
        return None
    return arrays[inputs[0]], arrays[targets[0]]


def _open_sides(sides: dict[str | None, tuple[Any, Any]], spec: DataSpec) -> Examples:
    inputs = {side: as_array(x) for side, (x, _) in sides.items()}
    for side, x in inputs.items():
        y = sides[side][1]
        if y is not None and len(x) != len(as_array(y)):
            raise InputError("LL030", f"X holds {len(x)} examples and y {len(as_array(y))}", where="data", help="give one target for each")
    ranks = {1 if isinstance(x, pd.DataFrame) else x.ndim for x in inputs.values()}
    if ranks <= {1, 2}:
        return _open_table(sides, inputs, spec=spec)
    if len(ranks) == 1 and ranks <= {3, 4}:
        return _open_pictures(sides, inputs)
    shapes = ", ".join(str(x.shape) for x in inputs.values())
    raise InputError(
        "LL004",
        f"shape {shapes} is neither rows nor pictures",
        where="data",
        help="rows: (N, columns); pictures: (N, H, W, C)",
    )


def _open_table(sides: dict[str | None, tuple[Any, Any]], inputs: dict[str | None, Any], *, spec: DataSpec) -> Examples:
    frames, name = {}, None
    for side, x in inputs.items():
        frame = x.copy() if isinstance(x, pd.DataFrame) else pd.DataFrame(x.reshape(len(x), -1))
        if not isinstance(x, pd.DataFrame):
            frame.columns = [f"column_{place}" for place in range(frame.shape[1])]
        y = sides[side][1]
        if y is not None:
            name = str(spec.target) if isinstance(spec.target, str) and spec.target not in frame else "target"
            name = name if name not in frame else "y"
            frame[name] = _one_axis(y, name)
        frames[side] = frame
    wanted = spec if name is None else spec.model_copy(update={"target": name})
    return open_frames(frames, wanted, name="arrays")


def _one_axis(y: Any, name: str) -> np.ndarray:
    """(N,) of (N,), (N, 1), or one-hot (N, classes)."""
    values = y.to_numpy() if isinstance(y, pd.Series) else as_array(y)
    if values.ndim == 2 and values.shape[1] == 1:
        return values[:, 0]
    if values.ndim == 2 and np.isin(values, (0, 1)).all() and (values.sum(1) == 1).all():
        return values.argmax(1)
    if values.ndim != 1:
        raise InputError(
            "LL013",
            f"'{name}' has the shape {values.shape}",
            where="data",
            help="one target an example: y of shape (N,)",
        )
    return values


def _open_pictures(sides: dict[str | None, tuple[Any, Any]], inputs: dict[str | None, Any]) -> Examples:
    parts, guesses = [], {}
    for side, x in inputs.items():
        y = sides[side][1]
        if y is None:
            raise InputError("LL014", "pictures in memory come with their labels", where="data", help="give (X, y)")
        pixels, layout = _channels_last(x)
        pixels, scale = _as_bytes(pixels)
        guesses |= {guess.what: guess for guess in (layout, scale) if guess is not None}
        parts.append(Side("example" if side is None else side, side, pixels, _labels(y)))
    return open_arrays("arrays", parts, where="data", guesses=tuple(guesses.values()))


def _labels(y: Any) -> np.ndarray:
    from leadline.data import cells

    values = _one_axis(y, "y")
    if values.dtype.kind == "f" and not np.array_equal(values, np.floor(values)):
        raise InputError(
            "LL014",
            f"pictures need labels, and y holds numbers: {values[0]:g}",
            where="data",
            help="give y as classes",
        )
    return class_labels(cells.from_values(values), None)


def _channels_last(x: np.ndarray) -> tuple[np.ndarray, Guess | None]:
    """(N, H, W, 1 or 3); a fourth channel is opacity and is left."""
    if x.ndim == 3:
        return x[..., None], Guess("grey pictures (N, H, W)", f"X has the shape {x.shape}", "give X as (N, H, W, C)")
    first, last = x.shape[1] in CHANNELS, x.shape[3] in CHANNELS
    if not first and not last:
        raise InputError("LL013", f"shape {x.shape} has no axis of 1, 3 or 4 channels", where="data", help="give X as (N, H, W, C)")
    is_first = first and not (last and x.shape[1] >= x.shape[3])
    pixels = np.moveaxis(x, 1, -1) if is_first else x
    said = "(N, C, H, W)" if is_first else "(N, H, W, C)"
    kept = pixels[..., :3] if pixels.shape[-1] == 4 else pixels
    return kept, Guess(f"pictures {said}", f"X has the shape {x.shape}", "move the channels: X.transpose(...)")


def _as_bytes(pixels: np.ndarray) -> tuple[np.ndarray, Guess | None]:
    """uint8, with a guess when the values were not bytes before."""
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels), None
    low, high = (float(pixels.min()), float(pixels.max())) if pixels.size else (0.0, 0.0)
    if not np.isfinite([low, high]).all():
        raise InputError("LL003", "X holds values that are not finite", where="data", help="check X with numpy.isfinite")
    if low >= 0 and high <= 1:
        shift, factor, how = 0.0, 255.0, "values from 0 to 1 times 255"
    elif low >= 0 and high <= 255:
        shift, factor, how = 0.0, 1.0, "values from 0 to 255 rounded"
    else:
        shift, factor, how = low, 255.0 / (high - low), f"values from {low:.3g} to {high:.3g} stretched to 0 to 255"
    scaled = np.rint((pixels.astype(np.float32) - shift) * factor).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(scaled), Guess("pictures kept as bytes", how, "give X as uint8")


def _frame_of(arrays: dict[str, Any]) -> pd.DataFrame:
    """Columns by name."""
    columns = {str(name): as_array(values) for name, values in arrays.items()}
    wrong = [f"{name} {values.shape}" for name, values in columns.items() if values.ndim != 1]
    lengths = {len(values) for values in columns.values()}
    if wrong or len(lengths) != 1:
        said = f"columns need one axis, and there is {', '.join(wrong[:3])}" if wrong else f"columns have {sorted(lengths)[:3]} rows"
        raise InputError("LL013", said, where="data", help='{"age": (N,), "label": (N,)}, or {"x": X, "y": y}')
    return pd.DataFrame(columns)


def as_array(value: Any) -> Any:
    """A numpy array, or the DataFrame itself."""
    if isinstance(value, pd.DataFrame):
        return value
    if isinstance(value, pd.Series):
        return value.to_numpy()
    if type(value).__module__.partition(".")[0] == "torch":
        return value.detach().cpu().numpy()
    return np.asarray(value)
