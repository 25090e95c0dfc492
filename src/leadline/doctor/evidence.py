"""Evidence: what the rules read. Signals by name, each measured when a rule first asks and then kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from torch import nn
from torch.optim.optimizer import Optimizer

from leadline.base.find import module
from leadline.doctor.heard import Heard
from leadline.doctor.lab import Lab
from leadline.doctor.moment import Moment, Sample
from leadline.doctor.tape import NotReplayable


class NotExamined(Exception):
    """Why a signal could not be measured here; a rule that needs it says nothing."""


@dataclass
class Scene:
    """Where signals are measured. door: which door was taken. ended: no more steps will come. kept: signals of the whole training."""

    heard: Heard
    model: nn.Module
    optimizers: list[Optimizer]
    loss_fn: Any
    lab: Lab
    door: Literal["watch", "check"]
    loader: Any = None
    val_loader: Any = None
    ended: bool = False
    kept: dict[str, Any] = field(default_factory=dict[str, Any])  # signals that hold for the whole training

    @property
    def moments(self) -> list[Moment]:
        """The recorded steps, oldest first."""
        return self.heard.moments

    @property
    def first(self) -> Moment:
        """The first recorded step. Raises NotExamined where there is none."""
        if not self.moments:
            raise NotExamined("no step was recorded yet")
        return self.moments[0]

    @property
    def last(self) -> Moment:
        """The latest recorded step. Raises NotExamined where there is none."""
        if not self.moments:
            raise NotExamined("no step was recorded yet")
        return self.moments[-1]

    @property
    def sample(self) -> Sample:
        """The training data heard. Raises NotExamined where no torch DataLoader was heard."""
        found = self.heard.samples.get(self.heard.train_loader or -1)
        if found is None or not found.batches:
            raise NotExamined("the training batches did not come from a torch DataLoader that could be heard")
        return found

    @property
    def val_sample(self) -> Sample:
        """The validation data heard. Raises NotExamined."""
        others = [s for key, s in self.heard.samples.items() if key not in self.heard.trained_on and s.batches]
        if not others:
            raise NotExamined("no validation batches were heard")
        return others[0]


class Evidence:
    """Signals of one examination: `evidence["learning"]`. Raises NotExamined where one cannot be measured."""

    def __init__(self, scene: Scene | None, values: dict[str, Any] | None = None) -> None:
        self.scene = scene
        self.values = dict(values or {})

    def __getitem__(self, name: str) -> Any:
        if name not in self.values:
            self.values[name] = self._measured(name)
        value = self.values[name]
        if isinstance(value, NotExamined):
            raise value
        return value

    def _measured(self, name: str) -> Any:
        """signals/<name>.py: measure(scene) -> value. A signal with KEEP = True holds for the whole training."""
        if self.scene is None:
            return NotExamined("nobody was there to measure it")
        if name in self.scene.kept:
            return self.scene.kept[name]
        part = module(f"leadline.doctor.signals.{name}")
        try:
            value = part.measure(self.scene)
        except (NotExamined, NotReplayable) as reason:
            return NotExamined(str(reason))
        if getattr(part, "KEEP", False):
            self.scene.kept[name] = value
        return value
