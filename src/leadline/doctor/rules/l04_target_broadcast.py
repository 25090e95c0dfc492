"""L04: output and target have other shapes and are stretched against each other."""

from __future__ import annotations

import math

import torch
from torch import nn

from leadline.doctor.bench import regressor, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.loss_path import Comparison
from leadline.doctor.signals.pair import BINARY_LOSSES, REGRESSION_LOSSES
from leadline.record.finding import Finding


class TargetBroadcast(Rule):
    """Output (N, 1) and target (N,) are compared everyone with everyone, because broadcasting makes N x N of them.

    What it sees: output and target of as many numbers but other shapes, whose difference has more numbers than either.
    Why it hurts: every answer is pulled to every target, and the best that the network can learn is the mean of all targets.
    What to do: give both the same shape: outputs.squeeze(1), or targets.unsqueeze(1).
    When it is wrong: pairwise losses compare everyone with everyone on purpose; they do so between two answers of the network or write both
    axes out, (N, 1) - (1, N), and are not this.
    """

    code, cause, title = "L04", "target_broadcast", "Output and target broadcast"
    needs = ("loss_path",)

    def examine(self, evidence: Evidence) -> Finding | None:
        """As many numbers on both sides, and more in between."""
        path = evidence["loss_path"]
        for call in path.calls("sub", *REGRESSION_LOSSES, *BINARY_LOSSES):
            if _is_stretched(call):
                seen = torch.broadcast_shapes(call.output, call.target)
                return self.found(
                    f"the output has shape {call.output} and the target {call.target}: they were stretched to {tuple(seen)}, so each "
                    f"answer is compared with all {math.prod(call.target)} targets and the network can only learn their mean",
                    control=f"give both the same shape, say target.reshape({', '.join(map(str, ('-1', *call.output[1:])))})",
                    step=path.step,
                    evidence={"output": list(call.output), "target": list(call.target), "compared_as": list(seen), "loss": call.name},
                )
        return None

    @classmethod
    def sick(cls) -> Case:
        """Outputs (N, 1), targets (N,), in arithmetic of one's own."""
        return watched(lambda: regressor(loss_fn=lambda output, y: (output - y.squeeze(1)).pow(2).mean()), "(N, 1) minus (N,)")

    @classmethod
    def well(cls) -> Case:
        """A last batch of one row, and a loss over two flat tensors."""
        return watched(lambda: regressor(loss_fn=lambda output, y: nn.functional.mse_loss(output.flatten(), y[:, 0])), "both are flat")


def _is_stretched(call: Comparison) -> bool:
    if call.output == call.target or math.prod(call.output) != math.prod(call.target) or math.prod(call.output) < 2:
        return False
    if call.name == "sub" and len(call.output) == len(call.target):  # both axes written out: pairs on purpose
        return False
    try:
        seen = torch.broadcast_shapes(call.output, call.target)
    except RuntimeError:
        return False
    return math.prod(seen) > math.prod(call.output)
