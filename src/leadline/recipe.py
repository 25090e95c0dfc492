"""A recipe: what a run is. Parts by name, typed and validated; read from YAML, overridden with key.path=value."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from leadline.base.spec import Spec
from leadline.data.settings import DataSpec
from leadline.train.settings import TrainSpec

SHORT_KEYS = {
    "target": "data.target",
    "model": "model.name",
    "epochs": "train.epochs",
    "batch_size": "train.batch_size",
    "lr": "train.optimizer.lr",
}


class ModelSpec(Spec):
    """Which network, and how a pretrained one is adapted. Further keys are the network's own (`leadline list models`)."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = "auto"
    """A file of the zoo, or "timm/NAME" or "torchvision/NAME"."""
    pretrained: bool = False
    """Start from the library's published weights (a download)."""
    freeze: Literal["none", "backbone"] = "none"
    """backbone: only the head learns; weights and batch-norm statistics of the rest stay as they are."""
    unfreeze_every: int | None = Field(None, ge=1)
    """With freeze=backbone: every so many epochs the next deepest block starts to learn."""


class EvaluateSpec(Spec):
    """What is measured at the end."""

    metrics: tuple[str, ...] | Literal["auto"] = "auto"
    groups: str | None = None
    """Column whose values get scores of their own."""
    baselines: bool = True
    """Train a majority, a linear and a gradient-boosted baseline beside the network."""


class CheckSpec(Spec):
    """The preflight."""

    ignore: dict[str, str] = Field(default_factory=dict)
    """Finding code to the reason why it is accepted."""


class Recipe(Spec):
    """A whole run."""

    schema_: Literal[1] = Field(1, alias="schema")
    task: str | None = None
    """A file of tasks/kinds; inferred from the data when left out."""
    data: DataSpec = DataSpec()
    model: ModelSpec = ModelSpec()
    train: TrainSpec = TrainSpec()
    check: CheckSpec = CheckSpec()
    evaluate: EvaluateSpec = EvaluateSpec()


def read(target: Any) -> Recipe:
    """A Recipe from a YAML path, a dict, or a Recipe."""
    raise RuntimeError("written by the recipe wing")
