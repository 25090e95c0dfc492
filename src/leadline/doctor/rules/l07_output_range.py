"""L07: the last activation cannot reach the targets."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn

from leadline.doctor.bench import regressor, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.loss_path import Comparison
from leadline.doctor.signals.pair import REGRESSION_LOSSES
from leadline.record.finding import Finding

INF = math.inf
RANGES: dict[str, tuple[float, float]] = {
    "relu": (0, INF), "relu6": (0, 6), "sigmoid": (0, 1), "softmax": (0, 1), "hardsigmoid": (0, 1), "tanh": (-1, 1), "softplus": (0, INF),
    "exp": (0, INF), "abs": (0, INF), "square": (0, INF), "log_softmax": (-INF, 0), "logsigmoid": (-INF, 0),
}  # fmt: skip
OUT_OF_REACH = 0.1  # of the targets' variance: less is outliers beyond the end of a scale, which many programs live with


class OutputRange(Rule):
    """The network ends in an activation whose range does not hold the targets, so no weights can answer right.

    What it sees: the last operation before the loss, its range, and the share of the targets' variance that lies outside of it.
    Why it hurts: a ReLU never answers a negative number, a sigmoid none above 1. The error of the targets outside can never fall, and
    the units in question sit at the end of the range, where gradients are zero.
    What to do: end a regression in a linear layer, or scale the targets into the range of the activation.
    When it is wrong: positive targets behind a ReLU or softplus, and pixels in [0, 1] behind a sigmoid, are sound and not named.
    """

    code, cause, title = "L07", "output_range", "The output cannot reach the targets"
    needs = ("loss_path",)

    def examine(self, evidence: Evidence) -> Finding | None:
        """A tenth of the targets' variance lies beyond the last activation's range."""
        path = evidence["loss_path"]
        for call in path.calls("sub", *REGRESSION_LOSSES):
            share, error = _out_of_reach(call)
            if error > OUT_OF_REACH:
                low, high = RANGES[call.end]
                return self.found(
                    f"the network ends in {call.end}, which answers between {low:g} and {high:g}, and {share:.0%} of the targets lie "
                    f"outside (they go from {call.wanted.min():.3g} to {call.wanted.max():.3g}): the squared error cannot fall below "
                    f"{error:.0%} of the targets' variance",
                    control=f"remove the {call.end} at the end of the network, or scale the targets into its range",
                    step=path.step,
                    evidence={"activation": call.end, "range": [low, high], "outside": share, "error_floor": error},
                )
        return None

    @classmethod
    def sick(cls) -> Case:
        """A ReLU before targets of mean 0."""
        return watched(
            lambda: regressor(model=nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1), nn.ReLU())),
            "a ReLU before targets of mean 0",
        )

    @classmethod
    def well(cls) -> Case:
        """A sigmoid before targets in [0, 1]."""

        def loss(output: Tensor, y: Tensor) -> Any:
            return nn.functional.mse_loss(output, (y / 3).sigmoid())

        return watched(
            lambda: regressor(model=nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1), nn.Sigmoid()), loss_fn=loss),
            "a sigmoid before targets between 0 and 1",
        )


def _out_of_reach(call: Comparison) -> tuple[float, float]:
    """Share of targets outside the last activation's range, and their squared distance to it as a share of the targets' variance."""
    if call.end not in RANGES or not call.wanted.is_floating_point() or call.wanted.numel() < 8 or call.output != call.target:
        return 0.0, 0.0
    low, high = RANGES[call.end]
    wanted = call.wanted.double()
    gap = wanted - wanted.clamp(low, high)
    return float((gap != 0).double().mean()), float(gap.square().mean() / wanted.var(correction=0).clamp_min(1e-12))
