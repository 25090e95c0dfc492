"""A graph convolutional net by hand on a dense normalised adjacency: full batch, the loss on the training nodes."""

from __future__ import annotations

import itertools
from functools import partial

from torch import Tensor, nn
from torch.utils.data import Dataset

from zoo import score
from zoo.assemble import assemble
from zoo.data import graph
from zoo.program import Setup, make_loader
from zoo.recipe import ACTIVATIONS, Recipe

DATA = ("communities", "triads")
LOCAL = {"cora": "cora"}
GOOD = {"communities": 0.75, "triads": 0.75, "cora": 0.65}


class GCN(nn.Module):
    """Layers of (adjacency @ features) @ weight; the graph's own adjacency and the wanted nodes come with the input."""

    def __init__(
        self, adjacency: Tensor, inputs: int, outputs: int, width: int, depth: int, activation: type[nn.Module], dropout: float
    ) -> None:
        super().__init__()
        self.register_buffer("adjacency", adjacency)
        sizes = [inputs, *[width] * (depth - 1), outputs]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.act, self.drop = activation(), nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Class logits of every node."""
        for layer in self.layers[:-1]:
            x = self.drop(self.act(self.adjacency @ layer(x)))
        return self.adjacency @ self.layers[-1](x)


class NodeLoss(nn.Module):
    """Cross-entropy on the nodes whose class is known in this batch; the others carry -100."""

    def __init__(self) -> None:
        super().__init__()
        self.loss = nn.CrossEntropyLoss(ignore_index=-100)

    def forward(self, logits: Tensor, y: Tensor) -> Tensor:
        """The mean over known nodes."""
        return self.loss(logits, y)


class WholeGraph(Dataset[tuple[Tensor, Tensor]]):
    """One item: all nodes' features and their classes, -100 where they are not of this part."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.x, self.y


def model(
    adjacency: Tensor,
    inputs: int,
    outputs: int,
    *,
    width: int = 24,
    depth: int = 2,
    activation: type[nn.Module] = nn.ReLU,
    dropout: float = 0.0,
) -> GCN:
    """The net of these sizes."""
    return GCN(adjacency, inputs, outputs, width, depth, activation, dropout)


def node_accuracy(setup: Setup) -> float:
    """Accuracy on the test nodes."""
    x, y = setup.test_data
    with score.judged(setup):
        guess = setup.model(x).argmax(-1)
    return (guess == y)[y >= 0].float().mean().item()


def first(batch: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """The whole graph is the batch."""
    return batch[0]


def build(data: str, recipe: Recipe, seed: int) -> Setup:
    """Train it on a graph with classes of nodes."""
    x, adjacency, y, parts = graph(data)
    three = []
    for nodes in parts:
        known = y.new_full(y.shape, -100)
        known[nodes] = y[nodes]
        three.append((x, known))
    classes = int(y.max()) + 1
    options = {"width": int(24 * recipe.width), "activation": ACTIVATIONS[recipe.activation or "relu"], "dropout": recipe.dropout}
    setup = assemble(
        three=tuple(three),  # type: ignore[arg-type]
        make_model=partial(model, adjacency, x.shape[1], classes, depth=recipe.depth or 2, **options),
        loss_fn=NodeLoss(),
        recipe=recipe,
        seed=seed,
        base_lr=1e-2,
        steps=120,
        batch_size=1,
        family="gcn",
        task="nodes",
        num_classes=classes,
        head=f"layers.{(recipe.depth or 2) - 1}",
        score=node_accuracy,
        chance=score.majority(y[parts[2]]),
        good=GOOD[data],
    )
    setup.loader = make_loader(WholeGraph(*three[0]), batch_size=1, shuffle=False, collate_fn=first)
    setup.val_loader = make_loader(WholeGraph(*three[1]), batch_size=1, shuffle=False, collate_fn=first)
    return setup
