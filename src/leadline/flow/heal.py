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
from leadline.flow.courses import Courses
from leadline.recipe import Recipe
from leadline.record.finding import Finding
from leadline.record.run import Run
from leadline.training.checkpoint import Checkpoints, Saved

LIMIT = 3  # times; a run that is ill after that is another's patient
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
        self.courses = Courses(run)
        self.wanted: Cure | None = None
        self.bad: Finding | None = None

    @property
    def left_out(self) -> frozenset[int]:
        """Steps that the run leaves out from now on."""
        return frozenset(step for each in self.courses.rounds for step in each["left_out"])

    def consider(self, finding: Finding) -> None:
        """A finding was made: plan its cure, if it has one. What is not finite is answered where it ends training."""
        if finding.code != "N01" and finding.severity != "note":
            self._plan(finding)

    def skip(self, finding: Finding, *, steps: tuple[int, ...]) -> None:
        """Steps that spoilt the run: leave them out; where that was done once already, the finding's control is next."""
        if self.wanted is None and len(self.courses.rounds) < LIMIT and not any(each["left_out"] for each in self.courses.rounds):
            self.wanted = Cure(finding, {}, steps)
        else:
            self._plan(finding)

    def answer(self, error: LeadlineError) -> bool:
        """Whether something can be done about an error that ended training: the doctor's cure, or the bad step left out."""
        if self.wanted is None and error.code == "LL031" and self.bad is not None and self.bad.step is not None:
            self.skip(self.bad, steps=(self.bad.step,))
        self.bad = None
        return self.wanted is not None

    def wants_another_course(self) -> bool:
        """Whether a course that came to its end is to be run again: for an error only; a warning so late has cost what it costs."""
        if self.wanted is not None and self.wanted.finding.severity != "error":
            self.wanted = None
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
        self.courses.add(
            finding=cure.finding.to_dict(),
            set=cure.changes,
            changed={key: [value_at(recipe, key), value] for key, value in cure.changes.items()},
            left_out=list(cure.left_out),
            why=why,
            **{"from": place},
        )
        checkpoints.forget(after=0 if saved is None else saved.step)
        kept = [entry for entry in self.run.read("findings.json") if entry["code"] != cure.finding.code and entry["step"] is None]
        self.run.write("findings.json", kept)  # what was found of the course that is given up stands in heal.json
        keys = " ".join(f"{key}={value}" for key, value in cure.changes.items()) or f"without step {', '.join(map(str, cure.left_out))}"
        self.tell(f"heal: {cure.finding.code} {cure.finding.cause}: {keys}, again from {place} ({why})")
        return saved

    def _plan(self, finding: Finding) -> None:
        """The finding's control is next, within the limit."""
        tried = [each["set"] for each in self.courses.rounds]
        if self.wanted is not None or not finding.control.set or finding.control.set in tried:
            return
        if len(self.courses.rounds) < LIMIT:
            self.wanted = Cure(finding, finding.control.set)
        elif not self.courses.given_up:
            self.courses.given_up = True
            self.courses.write()
            self.tell(f"heal: given up after {LIMIT} cures; {finding.code} {finding.cause} stays")

    def _state(self, cure: Cure, checkpoints: Checkpoints) -> tuple[Saved | None, str]:
        rows = self.courses.rows()
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
