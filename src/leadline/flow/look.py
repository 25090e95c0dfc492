"""`look`: what is there, what it seems to be for, and what is wrong with it, before anything is trained."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from leadline.base.errors import InputError
from leadline.data.audit import audit
from leadline.flow.prepare import choose_task, open_source
from leadline.recipe import Recipe
from leadline.record.facts import Facts, Guess, Problem


@dataclass(frozen=True)
class LookReport:
    """What `leadline look` shows. task: the guess with evidence and override, or None with `why_no_task`."""

    task: Guess | None
    why_no_task: str | None
    facts: Facts
    guesses: tuple[Guess, ...]
    problems: tuple[Problem, ...]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON fields."""
        return {
            "task": None if self.task is None else vars(self.task),
            "why_no_task": self.why_no_task,
            "facts": self.facts.to_dict(),
            "guesses": [vars(guess) for guess in self.guesses],
            "problems": [vars(problem) for problem in self.problems],
            "seconds": round(self.seconds, 2),
        }


def look(recipe: Recipe) -> LookReport:
    """Open the recipe's data, guess the task, and audit every example. Raises InputError when there is nothing to look at."""
    started = time.perf_counter()
    examples, source = open_source(recipe)
    task, why_not = _guess_task(recipe, examples.facts)
    problems = (*examples.facts.problems, *audit(examples))
    return LookReport(task, why_not, examples.facts, (source, *examples.facts.guesses), problems, time.perf_counter() - started)


def _guess_task(recipe: Recipe, facts: Facts) -> tuple[Guess | None, str | None]:
    try:
        kind, guesses = choose_task(recipe, facts)
    except InputError as error:
        return None, f"{error.message}; {error.help}"
    return (guesses[0] if guesses else Guess(f"task {kind.name}", "you said so", "task=NAME")), None
