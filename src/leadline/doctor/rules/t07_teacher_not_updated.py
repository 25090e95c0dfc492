"""T07: an average of the weights does not follow them."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim.optimizer import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from leadline.doctor.bench import Bench, classifier, default_step, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.followers import Followers
from leadline.record.finding import Finding


class TeacherNotUpdated(Rule):
    """A moving average, teacher or target copy of the network stands still while the network trains.

    What it sees: A torch `AveragedModel` that is called for answers and whose `update_parameters` never was. Or a part of the network
    that was equal to another part at the start, does not train, and is bit for bit what it was while the other part moved.

    Why it hurts: Its answers are those of the untrained network: a teacher that teaches noise, an evaluation of the start.

    What to do: `ema.update_parameters(model)` after each step, or the copy's own update with a decay below 1.

    When it is wrong: A frozen reference copy is right in preference optimisation and distillation; so a copy inside the network is a note
    only, unless the network answers with it in eval mode. Copies outside it that are not torch's own are not examined.
    """

    code, cause, title = "T07", "teacher_not_updated", "an average of the weights does not follow them"
    needs = ("followers",)
    after = 25
    kind = "contract"
    at = "end"

    def examine(self, evidence: Evidence) -> Finding | None:
        """The counter of an AveragedModel is certain; a frozen copy may be meant."""
        followers: Followers = evidence["followers"]
        control = "update the average after each optimizer step: ema.update_parameters(model), with a decay below 1"
        if followers.averages:
            words = f"an AveragedModel was asked for answers, and update_parameters was not called once in {followers.steps} steps"
            return self.found(words, control=control, severity="warning", step=0)
        if not followers.standing:
            return None
        copy, original = followers.standing[0]
        return self.found(
            f"{copy} began as a copy of {original} and did not change in {followers.steps} steps, while {original} trained"
            + ("; in eval mode the network answers with it" if followers.answers else ""),
            control=control,
            severity="warning" if followers.answers else "note",
            confidence="confirmed" if followers.answers else "suspected",
            step=0,
            where=copy,
        )

    @classmethod
    def sick(cls) -> Case:
        """An average that validates and is never updated."""

        def make() -> Bench:
            bench = classifier()
            average = AveragedModel(bench.model, multi_avg_fn=get_ema_multi_avg_fn(0.9))

            def step(model: nn.Module, loss_fn: Any, optimizer: Optimizer, batch: Any) -> None:
                default_step(model, loss_fn, optimizer, batch)
                average(batch[0])

            bench.step = step
            return bench

        return watched(make, "update_parameters is forgotten")

    @classmethod
    def well(cls) -> Case:
        """An average that follows."""

        def make() -> Bench:
            bench = classifier()
            average = AveragedModel(bench.model, multi_avg_fn=get_ema_multi_avg_fn(0.9))

            def step(model: nn.Module, loss_fn: Any, optimizer: Optimizer, batch: Any) -> None:
                default_step(model, loss_fn, optimizer, batch)
                average.update_parameters(model)
                average(batch[0])

            bench.step = step
            return bench

        return watched(make, "an average with a decay of 0.9")
