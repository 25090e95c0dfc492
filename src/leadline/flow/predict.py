"""`predict`: answers for raw input from a finished run, by the same preparer and network that were evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from leadline.base.errors import InputError
from leadline.data.decode import read_image
from leadline.data.packed import PackedFiles
from leadline.data.pixels import Pictures
from leadline.data.prepare import Preparer
from leadline.data.preparers.rows import RowsPreparer, frame_from
from leadline.data.row_names import counted
from leadline.data.table_reading import read_frame
from leadline.flow import inputs as from_inputs
from leadline.flow.devices import resolve as resolve_device
from leadline.record.ports import Images
from leadline.ship import package

Say = Callable[[str], None]

AT_ONCE = 256
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")


def model_folder(run: Path) -> Path:
    """The `model/` folder of a run, or the folder itself when it is one; LL011 otherwise."""
    for folder in (run / "model", run):
        if (folder / "config.json").is_file():
            return folder
    raise InputError("LL011", f"{run} holds no trained model", where=str(run), help=f"leadline resume {run}  finishes a stopped run")


def predict(run: Path, inputs: Sequence[str], *, device: str = "auto", say: Say | None = None) -> list[dict[str, Any]]:
    """One answer per input row, picture or sound, each with its "id" (file name, or file and row); one forecast per table of a series.

    inputs: for pictures and sounds files or folders of them; for tables files with the training columns, in any order; for
    texts files with one text a line, or the texts themselves.
    say: hears of columns that the training table did not have, which are not looked at.
    """
    if not inputs:
        raise InputError("LL035", "predict needs something to predict", where="predict", help=f"leadline predict {run} FILE...")
    return _answers(package.load(model_folder(run), device=resolve_device(device)), inputs, say=say)


def _answers(loaded: package.Package, inputs: Sequence[str], *, say: Say | None = None) -> list[dict[str, Any]]:
    if loaded.task.data == "audio":
        return from_inputs.sounds(loaded, inputs)
    if loaded.task.data == "series":
        return from_inputs.series(loaded, inputs)
    if loaded.task.data == "text":
        return from_inputs.texts(loaded, inputs)
    if isinstance(loaded.preparer.gives, Images):
        paths = list(_pictures(inputs))
        pictures = Pictures(PackedFiles(paths))  # decoded as in training, and a few hundred at a time
        answers = [each for start in range(0, len(paths), AT_ONCE) for each in loaded.predict(pictures[start : start + AT_ONCE])]
        return [{"id": str(path), **answer} for path, answer in zip(paths, answers, strict=True)]
    return [row for path in inputs for row in _predict_table(loaded, Path(path), say=say)]


def predict_raw(loaded: package.Package, x: Any) -> list[dict[str, Any]]:
    """One answer per example of x: paths, a DataFrame, row dicts, arrays (N, H, W[, C]) of pictures or (N, columns) of rows, sounds as a
    list of (samples, rate), windows (N, steps, columns) of a series, or texts."""
    import numpy as np

    if loaded.task.data == "text":
        return loaded.predict([x] if isinstance(x, str) else list(x))
    if isinstance(x, str | Path) or (isinstance(x, Sequence) and x and all(isinstance(each, str | Path) for each in x)):
        return _answers(loaded, [str(each) for each in ([x] if isinstance(x, str | Path) else x)])
    if loaded.task.data in ("audio", "series"):
        return loaded.predict(x)
    if isinstance(loaded.preparer.gives, Images):
        return loaded.predict([read_image(each) for each in (x[None] if isinstance(x, np.ndarray) and x.ndim == 2 else x)])
    return loaded.predict(_frame(x, loaded.preparer))


def _frame(x: Any, preparer: Preparer) -> Any:
    """A DataFrame as it is, records by their keys, an array under the columns of the training table in their order."""
    import numpy as np
    import pandas as pd

    assert isinstance(preparer, RowsPreparer)
    if isinstance(x, pd.DataFrame):
        return x
    if not isinstance(x, np.ndarray):
        return frame_from(x)
    columns = [name for name in preparer.table_columns if name != preparer.target]
    if x.ndim != 2 or x.shape[1] != len(columns):
        raise InputError(
            "LL029",
            f"an array of shape {x.shape}, and the model takes {len(columns)} columns: {', '.join(columns[:6])}",
            where="input",
            help="(N, columns)",
        )
    return pd.DataFrame(x, columns=columns)


def _predict_table(loaded: package.Package, path: Path, *, say: Say | None) -> Iterable[dict[str, Any]]:
    if not path.is_file():
        raise InputError("LL001", f"there is no file {path}", where=str(path), help="leadline predict RUN table.csv")
    assert isinstance(loaded.preparer, RowsPreparer)
    frame = read_frame(path, loaded.preparer)
    extra = loaded.preparer.unknown_columns(frame)
    if extra and say is not None:
        more = f", … {len(extra) - 8} more" if len(extra) > 8 else ""
        say(f"{path.name}: {counted(len(extra), 'column')} not known from training, and not looked at: {', '.join(extra[:8])}{more}")
    return [{"id": f"{path}:{row}", **answer} for row, answer in enumerate(loaded.predict(frame), start=1)]


def _pictures(inputs: Sequence[str]) -> Iterable[Path]:
    for name in inputs:
        path = Path(name)
        if path.is_dir():
            found = sorted(inner for inner in path.rglob("*") if inner.suffix.lower() in PICTURES)
            if not found:
                raise InputError("LL002", f"{path} holds no pictures", where=name, help=f"formats: {', '.join(PICTURES)}")
            yield from found
        elif path.is_file():
            yield path
        else:
            raise InputError("LL001", f"there is no file or folder {path}", where=name, help="leadline predict RUN photo.jpg")
