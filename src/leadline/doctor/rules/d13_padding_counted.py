"""D13: the loss counts padding."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from leadline.doctor.bench import Bench, loader, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.padding import Padding
from leadline.record.finding import Finding

COUNTED = 0.2  # of the positions: below, padding weighs little


class _Tagger(nn.Module):
    """A class for each token."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.out = nn.Embedding(12, 16), nn.Linear(16, 12)

    def forward(self, tokens_BT: Tensor) -> Tensor:
        return self.out(self.embed(tokens_BT)).transpose(1, 2)


def _padded(ignore: int) -> Bench:
    """Rows of 4 to 8 tokens padded with 0 to 16; each token's class is its successor's number."""
    torch.manual_seed(0)
    x = torch.randint(1, 12, (256, 16))
    length = torch.randint(4, 9, (256, 1))
    x = torch.where(torch.arange(16) < length, x, 0)
    y = torch.where(x > 0, x % 11 + 1, 0)
    model = _Tagger()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    return Bench(model, nn.CrossEntropyLoss(ignore_index=ignore), optimizer, loader(x, y))


class PaddingCounted(Rule):
    """Much of what the loss averages over is padding, which is trivially right.

    What it sees: rows of inputs and targets that end in runs of one value at the same places (or pictures with one empty border), more
    than a
    fifth of all positions, in a loss that neither ignores nor masks that value.
    Why it hurts: the loss looks low while the real positions are badly learnt; gradients shrink by the share of padding, differently by
    batch.
    What to do: ignore_index=<padding> in the loss, or multiply by a mask and divide by its sum.
    When it is wrong: where predicting the end of a row as many times as the row is short is the task itself.
    """

    code, cause, title = "D13", "padding_counted", "The loss counts padding"
    needs = ("padding",)

    def examine(self, evidence: Evidence) -> Finding | None:
        """More than a fifth of the counted positions."""
        seen: Padding = evidence["padding"]
        if seen.share <= COUNTED:
            return None
        where = "rows end in it" if seen.of == "tokens" else "an empty border in every picture"
        return self.found(
            f"{seen.share:.0%} of the targets that the loss counts are padding (value {seen.value}: {where})",
            control=f"ignore_index={seen.value} in the loss" if seen.of == "tokens" else "mask the border out of the loss, or crop it",
            severity="warning",
            where="loss",
            evidence={"share": round(seen.share, 4), "value": seen.value},
        )

    @classmethod
    def sick(cls) -> Case:
        """No ignore_index."""
        return watched(lambda: _padded(-100), "padded rows without ignore_index")

    @classmethod
    def well(cls) -> Case:
        """With it."""
        return watched(lambda: _padded(0), "padded rows, and the loss ignores the padding")
