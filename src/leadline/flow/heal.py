"""`--heal`: the doctor's control is applied, the run begins again from its last good state or from the start, and both courses are kept.

Three times at most; what is left then is told and not touched. A loss that is not finite, or that leaps and does not come back, is answered
first by going back and leaving the batch out. All of it stands in heal.json: what was found, what was changed, where the run began
again and why, and the loss before and after.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from leadline import recipe as recipes
from leadline.base.errors import LeadlineError
from leadline.flow.controls import value_at
from leadline.recipe import Recipe
from leadline.record.finding import Finding
from leadline.record.run import Run
from leadline.training.checkpoint import Checkpoints, Saved

LIMIT = 3  # times; a run that is ill after that is another's patient
POINTS = 400  # of a curve kept in heal.json
GENTLE = {"train.optimizer.lr", "train.clip_norm", "train.optimizer.weight_decay", "train.early_stop"}
"""Settings under which a saved state goes on; with any other change it would be another run's state."""
LEARNT = 0.9  # of the loss at the start: a state saved below it is worth going on from


@dataclass(frozen=True)
class Cure:
    """What is to be done: keys to change, steps to leave out, and the finding that asks for it."""

    finding: Finding
    changes: dict[str, Any]
    left_out: tuple[int, ...] = ()


class Healer:
    """Listens to the findings of a run, stops it where one can be cured, and says from where it begins again."""

    def __init__(self, run: Run, tell: Callable[[str], None]) -> None:
        self.run, self.tell = run, tell
        self.rounds: list[dict[str, Any]] = run.read("heal.json")["rounds"] if run.path("heal.json").exists() else []
        self.wanted: Cure | None = None
        self.bad: Finding | None = None
        self._given_up = False

    @property
    def left_out(self) -> frozenset[int]:
        """Steps that the run leaves out from now on."""
        return frozenset(step for each in self.rounds for step in each["left_out"])

    def consider(self, finding: Finding) -> None:
        """A finding was made: plan its cure, if it has one that was not tried yet."""
        tried = [each["set"] for each in self.rounds]
        if self.wanted is not None or finding.severity == "note" or not finding.control.set or finding.control.set in tried:
            return
        if len(self.rounds) < LIMIT:
            self.wanted = Cure(finding, finding.control.set)
        elif not self._given_up:
            self._given_up = True
            self.tell(f"heal: given up after {LIMIT} cures; {finding.code} {finding.cause} stays")
            self._write()

    def skip(self, finding: Finding, *, steps: tuple[int, ...]) -> None:
        """Steps that spoilt the run: leave them out; where that was done once already, the finding's control is next."""
        if self.wanted is None and len(self.rounds) < LIMIT and not any(each["left_out"] for each in self.rounds):
            self.wanted = Cure(finding, {}, steps)
        else:
            self.consider(finding)

    def answer(self, error: LeadlineError) -> bool:
        """Whether something can be done about an error that ended training: the doctor's cure, or the bad step left out."""
        if self.wanted is None and error.code == "LL031" and self.bad is not None and self.bad.step is not None:
            self.skip(self.bad, steps=(self.bad.step,))
        self.bad = None
        return self.wanted is not None

    def apply(self, recipe: Recipe) -> Recipe:
        """The recipe with the wanted changes."""
        assert self.wanted is not None
        return recipes.change(recipe, self.wanted.changes) if self.wanted.changes else recipe

    def begin_again(self, recipe: Recipe, checkpoints: Checkpoints) -> Saved | None:
        """Write the round down and give the state to go on from (None: from the start); newer states are forgotten."""
        assert self.wanted is not None
        cure, self.wanted = self.wanted, None
        saved, why = self._state(cure, checkpoints)
        place = "the start" if saved is None else f"step {saved.step}"
        self.rounds.append(
            {
                "finding": cure.finding.to_dict(),
                "set": cure.changes,
                "changed": {key: [value_at(recipe, key), value] for key, value in cure.changes.items()},
                "left_out": list(cure.left_out),
                "from": place,
                "why": why,
                "before": self._curve(),
                "after": None,
                "helped": None,
            }
        )
        checkpoints.forget(after=0 if saved is None else saved.step)
        kept = [entry for entry in self.run.read("findings.json") if entry["code"] != cure.finding.code and entry["step"] is None]
        self.run.write("findings.json", kept)  # what was found of the course that is given up stands in heal.json
        self._write()
        keys = " ".join(f"{key}={value}" for key, value in cure.changes.items()) or f"without step {', '.join(map(str, cure.left_out))}"
        self.tell(f"heal: {cure.finding.code} {cure.finding.cause}: {keys}, again from {place} ({why})")
        return saved

    def finish(self) -> None:
        """The last course stands: write what each cure brought."""
        curves = [*(each["before"] for each in self.rounds[1:]), self._curve()]
        for each, after in zip(self.rounds, curves, strict=False):
            each["after"] = after
            before, now = _end(each["before"]), _end(after)
            each["helped"] = None if now is None else before is None or now < before
            if before is not None and now is not None:
                self.tell(f"heal: {each['finding']['code']}: the loss ends at {now:.4g} instead of {before:.4g}")
        if self.rounds:
            self._write()

    def _state(self, cure: Cure, checkpoints: Checkpoints) -> tuple[Saved | None, str]:
        rows = self._rows()
        if not rows:
            return None, "training had not begun"
        if cure.left_out:
            saved = checkpoints.before(cure.left_out[0])
            return saved, "the newest state before it" if saved else "no state was saved before it"
        if not set(cure.changes) <= GENTLE:
            return None, "its states do not fit the changed settings"
        best = checkpoints.best()
        if best is None or (cure.finding.step is not None and best.step >= cure.finding.step):
            return None, "no state was saved before it"
        losses = [row["loss"] for row in rows]
        near = [row["loss"] for row in rows if row["step"] <= best.step][-5:]
        if not near or statistics.fmean(near) > LEARNT * statistics.fmean(losses[:5]):
            return None, "it had not learnt before"
        return best, "the best state before it"

    def _rows(self) -> list[dict[str, Any]]:
        return [row for row in self.run.journal.read() if row["split"] == "train"] if self.run.path("metrics.jsonl").exists() else []

    def _curve(self) -> dict[str, list[float | None]]:
        rows = self._rows()
        rows = rows[:: max(1, len(rows) // POINTS)]
        losses = [row["loss"] if abs(row["loss"]) < float("inf") else None for row in rows]
        return {"step": [row["step"] for row in rows], "loss": losses}

    def _write(self) -> None:
        self.run.write("heal.json", {"schema": 1, "rounds": self.rounds, "given_up": self._given_up})


class Heedful:
    """The journal of a healed run: writes the rows, and tells of a loss that leapt and did not come back."""

    def __init__(self, run: Run, healer: Healer) -> None:
        self.run, self.healer = run, healer
        self._steps: list[int] = []
        self._losses: list[float] = []
        self._first: list[float] = []

    def write(self, rows: Any) -> None:
        """To the journal; and look."""
        kept = list(rows)
        self.run.journal.write(kept)
        for row in kept:
            if row["split"] == "train" and abs(row["loss"]) < float("inf"):
                self._first += [row["loss"]] if len(self._first) < FIRST else []
                self._steps.append(row["step"])
                self._losses.append(row["loss"])
        del self._steps[:-SEEN], self._losses[:-SEEN]
        place = leap(self._losses)
        if place is not None and statistics.median(self._losses[:place]) < LEARNT * statistics.fmean(self._first):
            self._tell(self._steps[place], place)  # a run that never learnt has another fault, which the doctor will name

    def offset(self) -> int:
        """Of the journal."""
        return self.run.journal.offset()

    def cut(self, offset: int) -> None:
        """Of the journal."""
        self.run.journal.cut(offset)

    def _tell(self, step: int, place: int) -> None:
        usual = statistics.median(self._losses[:place])
        finding = Finding.from_dict(
            {
                "code": "M02",
                "cause": "exploding_gradients",
                "severity": "warning",
                "confidence": "suspected",
                "explanation": f"the loss leapt from {usual:.4g} to {self._losses[place]:.4g} at step {step} and did not come back",
                "control": {"text": "go back, leave the batch out, and clip gradients", "set": {"train.clip_norm": 1.0}},
                "step": step,
            }
        )
        self._steps, self._losses = [], []
        self.healer.skip(finding, steps=(max(1, step - 1), step))  # the update before made the leap, with that batch


FIRST = 5  # losses that say where it began
SEEN = 200  # losses that say what is usual
FEWEST, STAYS = 30, 5  # losses before a leap, and after it
TIMES, RISE = 10.0, 0.5  # median deviations, and share of the usual loss, that make a leap


def leap(losses: list[float]) -> int | None:
    """The place of a loss that leapt far above all before it and of which the next five stayed up; None without one."""
    for place in range(FEWEST, len(losses) - STAYS):
        usual = statistics.median(losses[:place])
        spread = statistics.median(abs(loss - usual) for loss in losses[:place])
        bar = usual + max(TIMES * spread, RISE * abs(usual))
        if losses[place] > bar and statistics.median(losses[place : place + STAYS]) > bar:
            return place
    return None


def _end(curve: dict[str, list[float | None]]) -> float | None:
    last = [loss for loss in curve["loss"][-max(1, len(curve["loss"]) // 20) :] if loss is not None]
    return statistics.fmean(last) if last else None
