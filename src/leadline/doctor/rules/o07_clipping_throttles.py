"""O07: clipping leaves next to nothing of the gradient, and without it the loss falls."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from leadline.doctor.bench import Bench, classifier, watched
from leadline.doctor.check import loss_of
from leadline.doctor.evidence import Evidence, NotExamined
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class ClippingThrottles(Rule):
    """Clipping is a safety belt; here it is the brake: nearly every gradient is cut to a small part of itself.

    What it sees: the gradient that the optimizer gets is a small part of what the backward pass gave (clip_grad_norm_ is heard; clipping by
    value and hooks show in the first step done again), and without that a replay reaches more in a few steps than the whole run.
    Why it hurts: with SGD the learning rate is in effect multiplied by the clip coefficient.
    What to do: a max_norm near the usual gradient norm, so that only outliers are clipped.
    When it is wrong: clipping that is always active with a learning rate chosen for it learns, and is not named; Adam does not mind scale.
    """

    code, cause, title = "O07", "clipping_throttles", "Clipping throttles training"
    needs = ("tournament",)
    after = 20
    kind = "replay"
    explained_by = ("T01", "D01", "D02", "L06", "L10")

    def examine(self, evidence: Evidence) -> Finding | None:
        """No clipping wins the tournament."""
        tournament = evidence["tournament"]
        winner = tournament.winner
        if winner is None or winner.candidate.code != self.code:
            return None
        dynamics = evidence["dynamics"]
        left = dynamics.clip_coefficient
        if dynamics.clip_share == 0:
            try:
                left = evidence["throttle"].left
            except NotExamined:
                return None
        limit = f" (max_norm={dynamics.clip_limit:.3g})" if dynamics.clip_limit is not None else ""
        return self.found(
            f"only {left:.2g} of the gradient reaches the optimizer{limit}: {tournament.in_words(winner)}",
            control="clip at about the usual gradient norm, or not at all",
            step=0,
            evidence={"left": left, "clipped_share": dynamics.clip_share, "max_norm": dynamics.clip_limit},
            probe=winner.trial.to_dict(),
            set={"train.clip": None},
        )

    @classmethod
    def sick(cls) -> Case:
        """SGD with max_norm=1e-3."""
        return watched(lambda: _clipped(1e-3, 0.1), "max_norm=1e-3")

    @classmethod
    def well(cls) -> Case:
        """Clipping in each step, with a rate that makes up for it."""
        return watched(lambda: _clipped(0.05, 3.0), "clipping always active, learning all the same")


def _clipped(limit: float, rate: float) -> Bench:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))

    def step(net: nn.Module, loss_fn: Any, optimizer: Any, batch: Any) -> None:
        optimizer.zero_grad()
        loss_of(net, loss_fn, batch).backward()
        nn.utils.clip_grad_norm_(net.parameters(), limit)
        optimizer.step()

    return classifier(model=model, optimizer=torch.optim.SGD(model.parameters(), lr=rate), step=step, steps=120)
