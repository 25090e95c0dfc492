"""The contract of a rule: one fault, what it needs to know, and the pure function from evidence to a finding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from leadline.doctor.evidence import Evidence
from leadline.record.finding import Confidence, Control, Finding, Severity

Kind = Literal["contract", "experiment", "replay", "lead"]
RANK: dict[str, int] = {"contract": 0, "experiment": 1, "replay": 2, "lead": 3}
"""How sure a kind of proof is: a broken contract, an invariant that an experiment showed broken, a control that helped, a sign only."""


@dataclass(frozen=True)
class Case:
    """A small training that a rule is tested on: run it, and get what the doctor said."""

    run: Callable[[], list[Finding]]
    words: str


class Rule(ABC):
    """One fault of the list. Its docstring is its page: what it sees, why it hurts, what to do, when it is wrong.

    needs: signals by file name. after: steps that must have been heard. kind: how it proves. explained_by: codes of faults that bring this
    one along; when one of them is found too, this finding is folded under it. at: "any" examination, or only at the "end".
    """

    code: ClassVar[str]
    cause: ClassVar[str]
    title: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]
    after: ClassVar[int] = 1
    kind: ClassVar[Kind] = "contract"
    explained_by: ClassVar[tuple[str, ...]] = ()
    at: ClassVar[Literal["any", "end"]] = "any"
    only: ClassVar[Literal["watch", "check", "both"]] = "both"

    @abstractmethod
    def examine(self, evidence: Evidence) -> Finding | None:
        """The finding, or None. Pure: the same evidence, the same answer."""

    @classmethod
    @abstractmethod
    def sick(cls) -> Case:
        """A training that has the fault: must be found."""

    @classmethod
    @abstractmethod
    def well(cls) -> Case:
        """A healthy training that looks like it: must stay silent under every rule."""

    def found(
        self,
        explanation: str,
        *,
        control: str,
        severity: Severity = "error",
        confidence: Confidence = "confirmed",
        step: int | None = None,
        where: str | None = None,
        evidence: dict[str, Any] | None = None,
        probe: dict[str, Any] | None = None,
        set: dict[str, Any] | None = None,
    ) -> Finding:
        """A finding of this rule. set: recipe keys that do the control. probe: a Trial's numbers."""
        return Finding(
            self.code, self.cause, severity, confidence, explanation, Control(control, set or {}), step, where, evidence or {}, probe
        )  # fmt: skip


def some(names: tuple[str, ...], most: int = 3) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
