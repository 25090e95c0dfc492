"""T04: gradients of several batches are meant to add up to one update, and the loop zeroes, steps or scales in the wrong place."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from leadline.doctor.bench import classifier, watched
from leadline.doctor.check import loss_of
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.micro_batches import MicroBatches
from leadline.record.finding import Finding

SEEN = 3  # updates: the same order three times is the loop's own


class AccumulationWrong(Rule):
    """Accumulation adds the gradients of several batches for one update; here part of them is lost, used again, or too large.

    What it sees: in the order of calls, zero_grad between the backward passes of one update (each on a batch of its own); or updates at
    each
    batch while zero_grad comes only every so many; or a loss that is not divided, where dividing it helps in a replay.
    Why it hurts: all but the last batch are lost, or old gradients are used several times, or the step is as many times too long.
    What to do: (loss / parts).backward() for each part; optimizer.step() and then zero_grad() once, after the last.
    When it is wrong: several backward passes of one batch (an adversarial example, two losses) are not accumulation and are not named.
    """

    code, cause, title = "T04", "accumulation_wrong", "Gradient accumulation wrong"
    needs = ("micro_batches",)
    after = 3
    explained_by = ()

    def examine(self, evidence: Evidence) -> Finding | None:
        """Order first, size last."""
        micro: MicroBatches = evidence["micro_batches"]
        if micro.optimizers > 1:
            return None
        if self._is_wiped(micro):
            return self.found(
                f"zero_grad is called between the {micro.parts} backward passes of one update: gradients of all batches but the last "
                "are lost",
                control="call zero_grad only after optimizer.step()",
                step=micro.wiped[0],
                evidence={"backward_per_step": micro.parts, "steps": list(micro.wiped[:5])},
            )
        if micro.period > 1 and micro.parts == 1 and micro.stale >= SEEN:
            return self.found(
                f"the optimizer steps after every batch, but gradients are zeroed only every {micro.period} steps: "
                "early batches are used again and again",
                control=f"move optimizer.step() to where zero_grad is: once every {micro.period} batches",
                step=1,
                evidence={"zeroed_every": micro.period},
            )
        return self._undivided(evidence, micro) if micro.parts > 1 and micro.divided is False else None

    @staticmethod
    def _is_wiped(micro: MicroBatches) -> bool:
        """Each update, and with as many batches as backward passes (one batch with several passes is something else)."""
        own_batches = micro.batches is not None and micro.batches > 0.7 * micro.parts
        return micro.parts > 1 and own_batches and len(micro.wiped) >= max(SEEN, 0.9 * micro.looked)

    def _undivided(self, evidence: Evidence, micro: MicroBatches) -> Finding | None:
        tournament = evidence["tournament"]
        winner = tournament.winner
        if winner is None or winner.candidate.code != self.code:
            return None
        return self.found(
            f"the gradients of {micro.parts} batches are added and the loss is not divided: {tournament.in_words(winner)}",
            control=f"(loss / {micro.parts}).backward()",
            step=0,
            evidence={"backward_per_step": micro.parts},
            probe=winner.trial.to_dict(),
        )

    @classmethod
    def sick(cls) -> Case:
        """zero_grad at every part."""
        return watched(lambda: classifier(step=_accumulating(4, zero_each=True)), "zero_grad inside the accumulation")

    @classmethod
    def well(cls) -> Case:
        """Two passes over one batch: an example is moved against the network, its gradients are thrown away, and then it is learnt."""

        def step(model: nn.Module, loss_fn: Any, optimizer: Optimizer, batch: Any) -> None:
            x, y = batch[0].clone().requires_grad_(), batch[1]
            loss_fn(model(x), y).backward()
            assert x.grad is not None
            harder = (x + 0.1 * x.grad.sign()).detach()
            optimizer.zero_grad()
            loss_fn(model(harder), y).backward()
            optimizer.step()
            optimizer.zero_grad()

        return watched(lambda: classifier(step=step), "adversarial training")


def _accumulating(parts: int, *, zero_each: bool) -> Any:
    count = itertools.count()

    def step(model: nn.Module, loss_fn: Any, optimizer: Optimizer, batch: Any) -> None:
        number = next(count)
        if zero_each or number % parts == 0:
            optimizer.zero_grad()
        (loss_of(model, loss_fn, batch) / torch.tensor(float(parts))).backward()
        if number % parts == parts - 1:
            optimizer.step()

    return step
