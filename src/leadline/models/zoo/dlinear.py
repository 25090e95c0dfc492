"""Linear forecasting: what every network for series has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import Field

from leadline.base.spec import Spec as Settings
from leadline.models.model import Model
from leadline.models.shapes import num_outputs
from leadline.models.suggestions import batch_for, epochs_for
from leadline.record.ports import Frames, Port, Values

if TYPE_CHECKING:
    from torch import nn


class DLinear(Model):
    """One linear map from window to horizon, the same for every column, on the slow and the fast part of the series apart.

    DLinear (Zeng et al. 2023) with instance normalisation (RevIN, Kim et al. 2022; RLinear, Li et al. 2023): each window is standardised by
    its own mean and deviation, and the forecast brought back by them, so that a drift of level or scale does no harm. On hourly
    measurements it is as good as transformers a thousand times its size, in seconds. Columns do not see each other.
    """

    takes = (Frames,)
    gives = (Values,)

    class Spec(Settings):
        """Settings of the linear forecaster."""

        trend: int = Field(default=25, ge=0, le=10_000)
        """Steps of the moving average that is the slow part; 0: the series is not taken apart."""
        normalise: Literal["instance", "last", "none"] = "instance"
        """What is taken off each window and given back: its mean and deviation, its last value (NLinear), or nothing."""
        dropout: float = Field(default=0.0, ge=0, lt=1)
        """Share of the steps looked back on that each training step blanks."""

    @classmethod
    def build(cls, spec: Settings, takes: Port, gives: Port) -> nn.Module:
        from leadline.models.nets.dlinear import DLinearNet

        own = cast(DLinear.Spec, spec)
        if not isinstance(takes, Frames):
            raise TypeError(f"dlinear takes Frames, not {takes}")
        return DLinearNet(takes.features, takes.length, num_outputs(gives), trend=own.trend, normalise=own.normalise, dropout=own.dropout)

    @classmethod
    def suggest(cls, *, takes: Port, num_examples: int) -> dict[str, Any]:
        """Measured on hourly transformer temperatures (etth1)."""
        return {
            "train.epochs": epochs_for(num_examples, seen=80_000, least=5, most=100),
            "train.batch_size": batch_for(num_examples, least=16, most=64),
            "train.optimizer.lr": 1e-3,
            "train.optimizer.weight_decay": 1e-2,
        }

    @classmethod
    def tiny(cls) -> Spec:
        return cls.Spec(trend=5)
