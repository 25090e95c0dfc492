"""The contract of a cause that a log can show: which series it needs, and the pure function from trace to finding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from leadline.doctor.logs.trace import Trace
from leadline.doctor.logs.verdict import Verdict
from leadline.record.finding import Confidence, Control, Finding, Severity


class LogCause(ABC):
    """One fault of the list that leaves its mark in a log. code, cause: of the fault list. needs: names of series."""

    code: ClassVar[str]
    cause: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ("train/loss",)

    @abstractmethod
    def examine(self, trace: Trace, verdict: Verdict) -> Finding | None:
        """The finding, or None. Called only where the needed series are there."""

    def found(
        self,
        explanation: str,
        *,
        control: str,
        severity: Severity,
        confidence: Confidence = "suspected",
        step: float | None = None,
        evidence: dict[str, Any] | None = None,
    ) -> Finding:
        """A finding of this cause."""
        at = None if step is None else round(step)
        return Finding(self.code, self.cause, severity, confidence, explanation, Control(control), at, None, evidence or {})
