"""The plots of a run as PNG files under plots/, drawn with matplotlib's Agg: for slides, model cards and screens without scripts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from leadline.record.counts import reliability
from leadline.record.files import write_atomic
from leadline.report.folder import RunFolder, read_run
from leadline.report.forecast_plot import forecast_of
from leadline.report.sections.classes import class_names, matrix_of
from leadline.report.sections.curves import Points, clipped, drawn, planned, points, thinned
from leadline.report.sections.healing import healed
from leadline.report.sections.values import pairs_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHORT = 0.2  # of the last course: a first one shorter than that needs a logarithmic axis to be seen
WIDE = 20  # times the median: beyond that the rest of a curve lies on the floor of its plot
MARKS = ("#c0392b", "#c8590b", "#8a4fb0", "#a8801a")
ONE, TWO, THREE, SOFT = "#1f6fb2", "#c8590b", "#1a7f5a", "#8a8f98"
# Points of the stored plan: a schedule has few corners, and the page draws it at this fineness.
PLAN_POINTS = 600
MOST_LABELS = 30


def plot_schedule(lrs: Sequence[float], path: Path) -> Path:
    """Draw the learning rate of every step before the first one is taken: `path` (PNG), and the numbers beside it as .json.

    lrs: (steps,) rate of step 1, 2, ... The JSON holds {"step": [...], "lr": [...]}, thinned to about 600 points with peaks kept.
    """
    line = thinned([(i + 1, float(rate)) for i, rate in enumerate(lrs)], PLAN_POINTS)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path.with_suffix(".json"), json.dumps({"step": [x for x, _ in line], "lr": [y for _, y in line]}).encode())
    return draw_plot(path, lambda axes: _schedule(axes, line, used=[]))


def write_plots(folder: Path | str) -> list[Path]:
    """Draw every plot the run folder has numbers for, into plots/; what has none is left out. Returns the files written."""
    run = read_run(folder)
    drawings: dict[str, Callable[[Axes], None] | None] = {
        "findings": _findings_of(run),
        "heal": _heal_of(run),
        "loss": _loss_of(run),
        "schedule": _schedule_of(run),
        "gradients": _gradients_of(run),
        "confusion": _confusion_of(run),
        "reliability": _reliability_of(run),
        "regression": _regression_of(run),
        "forecast": forecast_of(run),
    }
    place = run.folder / "plots"
    return [draw_plot(place / f"{name}.png", draw) for name, draw in drawings.items() if draw is not None]


def draw_plot(path: Path, *draws: Callable[[Axes], None]) -> Path:
    """Drawings side by side on a canvas of its own: no global figure is left behind."""
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4 * len(draws), 4.0), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    for axes, draw in zip(figure.subplots(1, len(draws), squeeze=False)[0], draws, strict=True):
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(SOFT)
        axes.tick_params(colors="#444", labelsize=9)
        draw(axes)
    page = io.BytesIO()
    figure.savefig(page, format="png", metadata={"Software": None})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, page.getvalue())
    return path


def draw_line(axes: Axes, line: Points, *, label: str, colour: str, exact: bool = False, **style: Any) -> None:
    """Draw one curve, if it has any point; a noisy one pale with its means on top, unless `exact`. style: what matplotlib\'s plot takes."""
    for faint, part in [(False, line)] if exact and line else drawn(label, line):
        looks: dict[str, Any] = {"lw": 0.8, "alpha": 0.28} if faint else {"label": label, "lw": 1.6, **style}
        axes.plot(np.array([x for x, _ in part]), np.array([y for _, y in part]), color=colour, **looks)


def finish(axes: Axes, title: str, y: str) -> None:
    """Name the drawing and its axes; a legend where curves have names."""
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
    axes.set_xlabel("step")
    axes.set_ylabel(y)
    axes.grid(axis="y", color="#e6e6e2", lw=0.8)
    axes.set_axisbelow(True)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=9)


def _loss_of(run: RunFolder) -> Callable[[Axes], None] | None:
    train, val = points(run, "loss", split="train"), points(run, "loss", split="val")
    best = run.scores.get("best_step")

    def draw(axes: Axes) -> None:
        draw_line(axes, train, label="train", colour=ONE)
        draw_line(axes, val, label="validation", colour=TWO, marker="o", ms=3)
        if isinstance(best, int):
            axes.axvline(best, color=THREE, ls="--", lw=1.2, label=f"best step {best:,}")
        finish(axes, "Loss", "loss")

    return draw if train or val else None


def _findings_of(run: RunFolder) -> Callable[[Axes], None] | None:
    """The training loss with the step of each finding marked: the evidence at a glance."""
    train = points(run, "loss", split="train")
    marked = [entry for entry in run.findings or [] if isinstance(entry.get("step"), int) and entry.get("severity") != "note"]

    def draw(axes: Axes) -> None:
        draw_line(axes, train, label="training loss", colour=ONE)
        for place, entry in enumerate(marked):
            label = f"{entry.get('code')} {str(entry.get('cause')).replace('_', ' ')}, step {entry['step']:,}"
            axes.axvline(entry["step"], color=MARKS[place % len(MARKS)], ls="--", lw=1.4, label=label)
        _log_where_wide(axes, [y for _, y in train])
        finish(axes, "What the doctor found, and when", "loss")

    return draw if train and marked else None


def _heal_of(run: RunFolder) -> Callable[[Axes], None] | None:
    """The loss of each course of a healed run: as it was, and after each control."""
    courses = healed(run)

    def draw(axes: Axes) -> None:
        for place, (label, line) in enumerate(courses):
            colour = MARKS[place % len(MARKS)] if place + 1 < len(courses) else ONE
            draw_line(axes, line, label=label.replace("$", r"\$"), colour=colour)
            if place + 1 < len(courses):
                axes.plot(*line[-1], "X", color=colour, ms=9, label=f"stopped by the doctor at step {line[-1][0]:,}")
        if len(courses[0][1]) < SHORT * len(courses[-1][1]):
            axes.set_xscale("log")
        _log_where_wide(axes, [y for _, line in courses for _, y in line])
        finish(axes, "Before and after the doctor's control", "training loss")

    return draw if len(courses) > 1 else None


def _log_where_wide(axes: Axes, values: Sequence[float]) -> None:
    """A logarithmic axis where a straight one would show the highest curve only."""
    if values and min(values) > 0 and max(values) > WIDE * float(np.median(values)):
        axes.set_yscale("log")


def _schedule(axes: Axes, plan: Points, *, used: Points) -> None:
    draw_line(axes, plan, label="planned", colour=ONE)
    draw_line(axes, used, label="used", colour=TWO, ls=":", lw=2.2)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    finish(axes, "Learning rate", "learning rate")


def _schedule_of(run: RunFolder) -> Callable[[Axes], None] | None:
    plan, used = planned(run), points(run, "lr", split="train")
    return (lambda axes: _schedule(axes, plan, used=used)) if plan or used else None


def _gradients_of(run: RunFolder) -> Callable[[Axes], None] | None:
    norm, after = points(run, "grad_norm", split="train"), clipped(run)

    def draw(axes: Axes) -> None:
        draw_line(axes, norm, label="before clipping" if after else "gradient norm", colour=ONE)
        draw_line(axes, after, label="after clipping", colour=TWO)
        if norm and min(y for _, y in norm) > 0:
            axes.set_yscale("log")
        finish(axes, "Gradient norm", "norm")

    return draw if norm else None


def _confusion_of(run: RunFolder) -> Callable[[Axes], None] | None:
    if not run.is_classification:
        return None
    classes = class_names(run)
    matrix = matrix_of(run, classes)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)

    def draw(axes: Axes) -> None:
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        axes.set_title("Confusion matrix (shade: share of the row)", loc="left", fontsize=11, fontweight="bold")
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        if len(classes) <= MOST_LABELS:
            # Dollar signs would start mathematics.
            labels = [label[:18].replace("$", r"\$") for label in classes]
            axes.set_xticks(
                range(len(classes)),
                labels,
                rotation=45 if max(map(len, labels)) > 3 else 0,
                ha="right" if max(map(len, labels)) > 3 else "center",
            )
            axes.set_yticks(range(len(classes)), labels)
        for i, j in np.ndindex(matrix.shape) if len(classes) <= 12 else ():
            axes.text(j, i, str(matrix[i, j]), ha="center", va="center", fontsize=8, color="white" if share[i, j] > 0.55 else "#333")

    return draw


def _reliability_of(run: RunFolder) -> Callable[[Axes], None] | None:
    if not run.is_classification:
        return None
    sure = np.array(run.shown["confidence"], dtype=np.float64)
    right = np.array(run.shown["target"], dtype=object) == np.array(run.shown["prediction"], dtype=object)
    if not np.isfinite(sure).all():
        return None
    diagram = reliability(sure, right)
    filled = diagram.count > 0

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=SOFT, ls="--", lw=1)
        middle = (np.arange(len(diagram.count)) + 0.5) / len(diagram.count)
        axes.bar(middle[filled], diagram.accuracy[filled], width=0.9 / len(diagram.count), color=ONE, alpha=0.85)
        axes.plot(diagram.confidence[filled], diagram.accuracy[filled], "o", color=TWO, ms=4)
        axes.set(xlim=(0, 1), ylim=(0, 1))
        finish(axes, f"Reliability (ECE {diagram.gap:.3f})", "share that was right")
        axes.set_xlabel("confidence")

    return draw


def _regression_of(run: RunFolder) -> Callable[[Axes], None] | None:
    if run.is_classification or not {"target", "prediction"} <= set(run.shown):
        return None
    true, said = pairs_of(run)
    if not len(true):
        return None

    def draw(axes: Axes) -> None:
        ends = [min(true.min(), said.min()), max(true.max(), said.max())]
        axes.plot(ends, ends, color=SOFT, ls="--", lw=1)
        axes.scatter(true, said, s=6, color=ONE, alpha=0.35, linewidths=0)
        finish(axes, f"Predicted against true ({len(true):,} examples)", "predicted")
        axes.set_xlabel("true")

    return draw
