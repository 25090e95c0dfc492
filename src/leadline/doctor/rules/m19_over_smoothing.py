"""M19: so many graph convolutions that all nodes look alike."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from leadline.doctor.bench import Bench, classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.start_signs import gains_in_numbers
from leadline.record.finding import Finding


class OverSmoothing(Rule):
    """Each graph convolution averages neighbours; after many of them every node carries the same numbers.

    What it sees: an adjacency ties the rows of the input; before the head all rows have nearly the same direction, or no gradient comes
    down; the run learns little; with each node left mostly as it is it goes further in forty steps.
    Why it hurts: nodes that look alike cannot be told apart (Li, Han and Wu 2018; Oono and Suzuki 2020).
    What to do: two to four layers, skips, PairNorm, jumping knowledge.
    When it is wrong: two layers smooth on purpose and learn: silent.
    """

    code, cause, title = "M19", "over_smoothing", "All nodes look alike"
    needs = ("ailment",)
    after = 20
    kind = "replay"

    def examine(self, evidence: Evidence) -> Finding | None:
        """The ailment, where it is this one."""
        found = evidence["ailment"]
        if found is None or found.code != self.code:
            return None
        alike = "" if found.signs.similarity is None else f" (mean cosine {found.signs.similarity:.4f})"
        return self.found(
            f"after {found.signs.matrices} layers over the graph the nodes look alike before the head{alike}; {found.in_words}",
            control="fewer graph layers (two to four), or a skip around each",
            step=0,
            evidence={**gains_in_numbers(found.signs), "cure": found.cure},
            probe=found.trial.to_dict(),
        )

    @classmethod
    def sick(cls) -> Case:
        """Sixteen layers."""
        return watched(lambda: _communities(16), "sixteen graph convolutions")

    @classmethod
    def well(cls) -> Case:
        """Two layers."""
        return watched(lambda: _communities(2), "two graph convolutions, every step the whole graph")


class _Graph(nn.Module):
    def __init__(self, adjacency_NN: Tensor, depth: int) -> None:
        super().__init__()
        self.adjacency_NN = adjacency_NN
        self.layers = nn.ModuleList([nn.Linear(16, 16) for _ in range(depth - 1)])
        self.head = nn.Linear(16, 3)

    def forward(self, x_NF: Tensor) -> Tensor:
        for layer in self.layers:
            x_NF = layer(self.adjacency_NN @ x_NF).relu()
        return self.head(self.adjacency_NN @ x_NF)


def _communities(depth: int) -> Bench:
    torch.manual_seed(0)
    y = torch.arange(90) % 3
    edges = (torch.rand(90, 90) < torch.where(y[:, None] == y, 0.15, 0.02)).float()
    edges = ((edges + edges.t() + torch.eye(90)) > 0).float()
    x = torch.eye(3)[y] @ torch.randn(3, 16) + 1.5 * torch.randn(90, 16)
    return classifier(model=_Graph(edges / edges.sum(1, keepdim=True), depth), loader=[(x, y)], val_loader=None)
