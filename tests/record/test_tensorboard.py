"""TensorBoard shows each row once, resumed or not."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from leadline.base.errors import InputError
from leadline.record.journal import Journal
from leadline.record.sink import Feed


def row(step: int, loss: float, split: str = "train") -> dict[str, Any]:
    return {"step": step, "epoch": 0, "split": split, "loss": loss, "lr": 0.1}


def shown(folder: Path, tag: str) -> list[tuple[int, float]]:
    """What TensorBoard's own reader finds."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator").EventAccumulator
    reader = accumulator(str(folder / "tensorboard"))
    reader.Reload()
    return [(event.step, event.value) for event in reader.Scalars(tag)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_rows_are_shown_by_split_and_name(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "metrics.jsonl")
    journal.write([row(1, 0.5), row(1, 0.75, split="val")])
    feed = Feed(tmp_path, "tensorboard")
    assert feed.send() == 2
    assert feed.send() == 0
    journal.write([row(2, math.inf)])
    feed.close()
    assert shown(tmp_path, "train/loss") == [(1, 0.5), (2, math.inf)]
    assert shown(tmp_path, "val/loss") == [(1, 0.75)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_resumed_run_shows_no_step_twice_and_misses_none(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "metrics.jsonl")
    journal.write([row(1, 1.0), row(2, 2.0)])
    offset = journal.offset()
    journal.write([row(3, 3.0), row(4, 4.0)])
    Feed(tmp_path, "tensorboard").close()
    journal.cut(offset)
    journal.write([row(3, 3.5)])
    feed = Feed(tmp_path, "tensorboard")
    feed.send()
    journal.write([row(4, 4.5), row(5, 5.5)])
    feed.close()
    assert shown(tmp_path, "train/loss") == [(1, 1.0), (2, 2.0), (3, 3.5), (4, 4.5), (5, 5.5)]
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1


def test_an_unknown_sink_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="tensorbord") as caught:
        Feed(tmp_path, "tensorbord")
    assert caught.value.code == "LL023"
