"""N04: weights in bfloat16 or float16 swallow their updates: float32 copies beside them move and learn."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from leadline.doctor.bench import Bench, classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding

NEARLY_ALL = 0.9  # of the elements stay: then the run is named even where the replay is too short to tell


class UpdatesSwallowed(Rule):
    """A weight of 1.0 in bfloat16 has no neighbour nearer than 0.004: smaller updates are rounded away, each time.

    What it sees: the update of one recorded step on float32 copies of the weights; the share of elements that such a copy moves and the
    half-precision weight does not. Then some steps with float32 copies beside some without.
    Why it hurts: most weights never move, however many steps are done.
    What to do: weights in float32 with autocast for the arithmetic (what torch.autocast does), or an optimizer that keeps float32 copies.
    When it is wrong: updates large enough for bfloat16 (a large learning rate) get through, and nothing is named.
    Source: Zamirai et al., Revisiting BFloat16 Training, 2020.
    """

    code, cause, title = "N04", "low_precision_weights_swallow_updates", "Half-precision weights swallow updates"
    needs = ("swallowed", "learning")
    after = 4
    kind = "experiment"
    explained_by = ("N06",)

    def examine(self, evidence: Evidence) -> Finding | None:
        """Most updates are lost, and float32 copies learn."""
        swallowed = evidence["swallowed"]
        if swallowed.trial is None:
            return None
        helps = swallowed.trial.helps or (evidence["learning"].is_bad and swallowed.goes_further)
        if not helps and swallowed.share < NEARLY_ALL:
            return None
        proof = f"; {swallowed.trial.in_words}" if helps else ""
        return self.found(
            f"{swallowed.share:.0%} of the elements of the {swallowed.dtype} weights stay exactly as they are where float32 copies "
            f"move{proof}",
            control="keep the weights in float32 and use torch.autocast for the arithmetic (do not call model.bfloat16() for training)",
            severity="error" if helps else "warning",
            step=0,
            evidence={"share": swallowed.share, "dtype": swallowed.dtype, "tensors": swallowed.tensors},
            probe=swallowed.trial.to_dict() if helps else None,
            set={"train.precision": "bf16-mixed"},
        )

    @classmethod
    def sick(cls) -> Case:
        """Adam at 1e-4 on weights in bfloat16."""
        return watched(lambda: _in_bfloat16(1e-4), "model.bfloat16() and a small learning rate")

    @classmethod
    def well(cls) -> Case:
        """Adam at 0.02: coarse steps that get through."""
        return watched(lambda: _in_bfloat16(2e-2), "model.bfloat16() and steps large enough")


def _in_bfloat16(rate: float) -> Bench:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3)).bfloat16()

    def step(net: nn.Module, loss_fn: Any, optimizer: Optimizer, batch: Any) -> None:
        optimizer.zero_grad()
        loss_fn(net(batch[0].bfloat16()).float(), batch[1]).backward()
        optimizer.step()

    return classifier(model=model, optimizer=torch.optim.Adam(model.parameters(), lr=rate), step=step, steps=60)
