"""N05: attention scores overflow on their way through the softmax."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from leadline.doctor.bench import Bench, classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class SoftmaxOverflow(Rule):
    """Scores too large for their number format become infinite, and infinity over infinity is not a number.

    What it sees: after the first value that is not finite, the recorded step is done again operation by operation; the first one that makes
    an infinity from finite numbers lies in a softmax inside the network, or computes its scores in float16.
    Why it hurts: one NaN row makes the loss NaN, and the next update all weights.
    What to do: divide scores by the root of the width, take softmax of torch (it subtracts the maximum), normalise queries and keys,
    bfloat16.
    When it is wrong: large scores that stay finite are not named.
    """

    code, cause, title = "N05", "softmax_overflow", "Attention or softmax overflows"
    needs = ("overflow",)
    after = 1
    kind = "experiment"
    explained_by = ("D09", "H03", "O01")

    def examine(self, evidence: Evidence) -> Finding | None:
        """The first infinity lies in a softmax of the network."""
        first = evidence["overflow"]
        if not first.operation or not first.inside or not first.in_softmax:
            return None
        by_hand = first.operation == "exp"
        if not by_hand and first.dtype != "float16":
            return None
        return self.found(
            f"{first.operation} in {first.where} makes an infinity in {first.dtype} out of numbers up to {first.largest:.3g}, on the "
            "way through "
            f"a softmax",
            control="scale the scores by 1/sqrt(width), use torch.softmax or scaled_dot_product_attention, in bfloat16 or float32",
            where=first.where,
            evidence={"operation": first.operation, "dtype": first.dtype, "largest": first.largest},
            set={"train.precision": "bf16"},
        )

    @classmethod
    def sick(cls) -> Case:
        """exp of scores by hand, times a hundred, in float16."""
        return watched(lambda: _attending(100.0, by_hand=True), "softmax by hand of large scores in float16")

    @classmethod
    def well(cls) -> Case:
        """The same scores through torch's softmax."""
        return watched(lambda: _attending(1.0, by_hand=False), "large scores through torch.softmax")


class _Attention(nn.Module):
    """Rows of one example attend to each other."""

    def __init__(self, scale: float, *, by_hand: bool) -> None:
        super().__init__()
        self.q, self.k, self.out = nn.Linear(2, 8), nn.Linear(2, 8), nn.Linear(8, 3)
        self.scale, self.by_hand = scale, by_hand

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        parts = x.view(-1, 4, 2)
        scores = (self.q(parts) @ self.k(parts).transpose(1, 2)) * self.scale
        if self.by_hand:
            powers = scores.half().exp()
            weights = powers / powers.sum(-1, keepdim=True)
        else:
            weights = scores.softmax(-1)
        return self.out((weights.to(parts.dtype) @ parts).flatten(1))


def _attending(scale: float, *, by_hand: bool) -> Bench:
    torch.manual_seed(0)
    return classifier(model=_Attention(scale, by_hand=by_hand), steps=60)
