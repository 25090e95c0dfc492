"""LSTM and GRU over short series: classes, the adding problem, forecasting."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from zoo import score
from zoo.assemble import assemble
from zoo.data import sequences
from zoo.program import Setup
from zoo.recipe import Recipe

DATA = ("waves", "digits", "sums", "forecast")
LOCAL: dict[str, str] = {}
GOOD = {"waves": 0.8, "digits": 0.85, "sums": 0.6, "forecast": 0.8}
STEPS = {"waves": 350, "digits": 350, "sums": 700, "forecast": 300}


class Recurrent(nn.Module):
    """The recurrent layers' last state, then linear. cell: lstm or gru."""

    def __init__(self, inputs: int, outputs: int, width: int, depth: int, cell: str, dropout: float) -> None:
        super().__init__()
        make = {"lstm": nn.LSTM, "gru": nn.GRU}[cell]
        self.rnn = make(inputs, width, num_layers=depth, batch_first=True, dropout=dropout if depth > 1 else 0.0)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, or a number."""
        states, _ = self.rnn(x)
        return self.out(self.drop(states[:, -1]))


def model(inputs: int, outputs: int, *, width: int = 32, depth: int = 1, cell: str = "lstm", dropout: float = 0.0) -> Recurrent:
    """The net of these sizes."""
    return Recurrent(inputs, outputs, width, depth, cell, dropout)


def build(data: str, recipe: Recipe, seed: int) -> Setup:
    """Train it on a set of series."""
    three = sequences(data)
    x, y = three[0]
    regress = y.is_floating_point()
    classes = 0 if regress else int(y.max()) + 1
    dropout = 0.0 if regress else recipe.dropout
    cell = "gru" if data in ("sums", "digits") else "lstm"
    width, depth = int(32 * recipe.width), recipe.depth or 1
    return assemble(
        three=three,
        make_model=partial(model, x.shape[2], 1 if regress else classes, width=width, depth=depth, cell=cell, dropout=dropout),
        loss_fn=nn.MSELoss() if regress else nn.CrossEntropyLoss(),
        recipe=recipe,
        seed=seed,
        base_lr=8e-3,
        steps=STEPS[data],
        batch_size=32,
        family="rnn",
        task="regress" if regress else "classify",
        num_classes=classes,
        head="out",
        score=score.r_squared() if regress else score.accuracy(),
        chance=0.0 if regress else score.majority(three[2][1]),
        good=GOOD[data],
    )
