"""What was forecast and what came, for the example in the middle of all losses: neither the best nor the worst that there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from leadline.report.folder import RunFolder, mapping

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_COLUMNS = 3  # more lines than these can hardly be told apart
COLOURS = ("#1f6fb2", "#c8590b", "#1a7f5a")


def forecast_of(run: RunFolder) -> Callable[[Axes], None] | None:
    """Draws the steps ahead, column by column; None for runs that forecast nothing."""
    about, losses = mapping(run.data.get("series")), run.shown.get("loss") or []
    if not about or not losses or run.side is None:
        return None
    place = int(np.argsort(np.asarray(losses, dtype=float))[len(losses) // 2])
    true, said = (_row(run, place, kind) for kind in ("target", "prediction"))
    target = run.data.get("target")
    names = [str(target)] if target else [str(name) for name in about.get("columns", [])]
    if not names or not len(true) or len(true) % len(names) or len(true) != len(said):
        return None
    came, told = true.reshape(-1, len(names)), said.reshape(-1, len(names))
    title = f"From {run.shown['name'][place]} on: forecast (dashed) and what came"

    def draw(axes: Axes) -> None:
        steps = np.arange(1, len(came) + 1)
        for column, colour in zip(range(min(len(names), MOST_COLUMNS)), COLOURS, strict=False):
            axes.plot(steps, came[:, column], color=colour, lw=1.2, label=names[column])
            axes.plot(steps, told[:, column], color=colour, lw=1.2, ls="--")
        axes.set_title(title, fontsize=10, loc="left")
        axes.set_xlabel("steps ahead")
        axes.set_ylabel("standardised value")
        axes.legend(frameon=False, fontsize=8)

    return draw


def _row(run: RunFolder, place: int, kind: str) -> np.ndarray:
    """(H * K,) one example's numbers from the predictions file."""
    from pyarrow import parquet

    with parquet.ParquetFile(run.folder / "predictions" / f"{run.side}.parquet") as file:
        names = [name for name in file.schema_arrow.names if name.startswith(f"{kind}_")] or [kind]
        table = file.read(names)
    return np.array([float(column[place].as_py()) for column in table.columns])
