"""The Hugging Face Trainer's trainer_state.json, or the folder of a checkpoint that holds it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from leadline.base.errors import InputError
from leadline.doctor.logs.trace import Points, Trace, named

FILE = "trainer_state.json"


def recognises(path: Path) -> bool:
    """Whether it is such a file, or a folder with one."""
    return path.name == FILE or (path / FILE).is_file() or bool(path.is_dir() and list(path.glob(f"checkpoint-*/{FILE}")))


def read(path: Path) -> Trace:
    """The trace of its log_history; of several checkpoints, the latest one's. Raises InputError LL004."""
    file = _file(path)
    try:
        history: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["log_history"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("LL004", f"{file.name} holds no log_history: {error}", where=str(file), help="name another log") from None
    raw: dict[str, Points] = {}
    for row in history:
        for key, value in row.items():
            if isinstance(value, int | float) and key not in ("step", "epoch") and "step" in row:
                raw.setdefault(key, []).append((row["step"], value))
    note = "the Trainer leaves NaN losses out of its mean unless logging_nan_inf_filter=False, so its loss cannot be trusted to show one"
    return Trace(str(path), "trainer_state", named(raw), notes=(note,))


def _file(path: Path) -> Path:
    if path.is_file():
        return path
    inside = [path / FILE] if (path / FILE).is_file() else list(path.glob(f"checkpoint-*/{FILE}"))
    return max(inside, key=lambda file: int(file.parent.name.rsplit("-", 1)[-1]) if file.parent.name[-1:].isdigit() else 0)
