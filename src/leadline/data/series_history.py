"""A file that is to go on: its last rows, checked against what the model was trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from leadline.base.errors import InputError
from leadline.data.preparers.windows import WindowsPreparer
from leadline.data.series_reading import read_series
from leadline.data.series_windows import filled
from leadline.data.settings import DataSpec, SeriesSpec

ALIKE = 0.01  # share by which the step of a file may differ from that of training: months have 28 to 31 days


def read_history(path: Path, preparer: WindowsPreparer) -> tuple[np.ndarray, str]:
    """(1, W, C) the last values of a table, in the preparer's order of columns, and the time of the last one.

    Raises InputError LL001 for a missing path, LL029 for missing columns, another step, too few rows or missing values at the end, and
    what `read_series` raises.
    """
    if not path.exists():
        raise InputError("LL001", f"there is no file or folder {path}", where=str(path), help="leadline predict RUN table.csv")
    series = read_series(path, DataSpec(missing=preparer.missing, series=SeriesSpec(time=preparer.time), max_excluded=0.0))
    lacking = [name for name in preparer.columns if name not in series.names]
    if lacking:
        raise _unfit(
            path, f"lacks {len(lacking)} of the columns the model was trained on: {', '.join(lacking[:8])}", "add them, with numbers"
        )
    if abs(series.clock.step_s / preparer.step_s - 1) > ALIKE:
        raise _unfit(
            path, f"has a row every {series.clock.word}, and training had one every {preparer.step_s:,.0f} seconds", "the same step"
        )
    if preparer.fill == "last":
        series = filled(series)
    known = series.values[-preparer.window :, [series.names.index(name) for name in preparer.columns]]
    if len(known) < preparer.window:
        raise _unfit(path, f"has {len(known):,} steps, and the model looks back on {preparer.window:,}", "give more history")
    empty = np.isnan(known).any(axis=1)
    if empty.any():
        first = str(series.times[-preparer.window :][empty][0]).replace("T", " ")
        raise _unfit(path, f"lacks {int(empty.sum()):,} of its last {preparer.window:,} steps, the first at {first}", "fill them in")
    return known[None], str(series.times[-1]).replace("T", " ")


def _unfit(path: Path, what: str, remedy: str) -> InputError:
    return InputError("LL029", f"{path.name} {what}", where=str(path), help=remedy)
