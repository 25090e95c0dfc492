"""The `model/` folder: all that predicting needs and nothing else, written without pickle and read without the training code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from leadline.base.errors import InputError
from leadline.base.find import find
from leadline.data.batches import cut
from leadline.data.prepare import Preparer
from leadline.models import build
from leadline.record.batch import Batch
from leadline.record.files import write_atomic
from leadline.tasks.task import Task, restore

FILES = ("config.json", "model.safetensors", "preprocessor.json", "labels.json")
BATCH = 256  # examples at a time: past this a CPU gains nothing and memory grows


@dataclass(frozen=True)
class Package:
    """A network with all it takes to answer raw input: model (eval mode), preparer and task. config: what config.json holds."""

    model: torch.nn.Module
    preparer: Preparer
    task: Task
    config: dict[str, Any]

    def outputs(self, stored: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """What the task keeps of the answers (N, ...), on the CPU, in float32, from stored arrays (N, ...)."""
        device = next(self.model.parameters()).device
        with torch.inference_mode():
            cuts = (slice(start, start + BATCH) for start in range(0, len(stored[0]), BATCH))
            return torch.cat([self._kept(tuple(part[cut].to(device) for part in stored)) for cut in cuts])

    def _kept(self, stored: tuple[torch.Tensor, ...]) -> torch.Tensor:
        index = torch.arange(len(stored[0]), device=stored[0].device)
        if self.preparer.varies:
            stored = cut(stored, self.preparer.lengths(stored).cpu().numpy())
        target = self.preparer.targets(stored)
        batch = Batch(self.preparer.inputs(stored), index if target is None else target, index, None, len(index))
        return self.task.keep(self.task.respond(self.model, batch).float(), batch).float().cpu()

    def predict(self, raw: Any) -> list[dict[str, Any]]:
        """One answer per raw example (a DataFrame, a list of uint8 images (H, W, C), a list of texts); see `Task.answers`."""
        return self.task.answers(self.task.predictions(self.outputs(self.stored(raw))))

    def stored(self, raw: Any) -> tuple[torch.Tensor, ...]:
        """Raw examples in the preparer's stored form."""
        return tuple(torch.from_numpy(np.ascontiguousarray(part)) for part in self.preparer.store(raw))


def save(folder: Path, package: Package) -> None:
    """Write the four files of `model/`, each aside and renamed."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in package.model.state_dict().items()}
    partial = folder / ".tmp-model.safetensors"
    save_file(weights, partial)
    partial.chmod(0o644)  # safetensors writes 0600, and a model is there to be read
    partial.replace(folder / "model.safetensors")
    for name, content in (("config", package.config), ("preprocessor", package.preparer.to_dict()), ("labels", package.task.to_dict())):
        write_atomic(folder / f"{name}.json", (json.dumps(content, indent=1) + "\n").encode())


def load(folder: Path, *, device: str = "cpu") -> Package:
    """Read a `model/` folder. Raises InputError LL011 when a file is missing or damaged."""
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise InputError(
            "LL011",
            f"{folder} is not a model folder: {missing[0]} is missing",
            where=str(folder),
            help="name a finished run, or its model/ folder",
        )
    try:
        config, preprocessor, labels = (
            json.loads((folder / name).read_text()) for name in ("config.json", "preprocessor.json", "labels.json")
        )
        weights = load_file(folder / "model.safetensors")
    except (ValueError, OSError, SafetensorError) as error:
        raise InputError(
            "LL011", f"{folder} is damaged: {error}", where=str(folder), help="copy the folder again, or train again"
        ) from None
    model = build.from_config(config["model"])
    model.load_state_dict(weights)
    preparer: Preparer = find("data.preparers", preprocessor["kind"]).from_dict(preprocessor)
    return Package(model.to(device).eval(), preparer, restore(labels, preparer.texts()), config)
