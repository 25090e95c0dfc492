"""A finding: a problem with its cause, evidence and control; the vocabulary shared by checks, the doctor, the run folder and the report."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
Confidence = Literal["confirmed", "suspected"]
ORDER: dict[str, int] = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class Control:
    """What to do about it: a sentence, and the recipe keys that do it."""

    text: str
    set: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Finding:
    """One named problem; the fields are those of findings.json. code and cause come from the fault list ("T01", "missing_zero_grad")."""

    code: str
    cause: str
    severity: Severity
    confidence: Confidence
    explanation: str
    control: Control
    step: int | None = None
    where: str | None = None
    evidence: dict[str, Any] = field(default_factory=dict[str, Any])
    probe: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON fields."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Finding:
        """A finding as findings.json has it."""
        known: dict[str, Any] = {**fields, "control": Control(**fields["control"])}
        return cls(**known)


@dataclass(frozen=True)
class Answer:
    """One preflight answer. blocks: a "no" that makes training pointless, so the command exits 3."""

    answer: Literal["yes", "no", "not examined"]
    evidence: dict[str, Any]
    blocks: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON fields, as checks.json has them."""
        return {"answer": self.answer, "evidence": self.evidence}


QUESTIONS = (
    "one batch overfits",
    "gradient norms logged",
    "validation split clean",
    "checkpoint resume tested",
    "learning-rate schedule plotted",
    "eval mode used for validation",
)


def worst_first(findings: list[Finding]) -> list[Finding]:
    """Errors before warnings before notes; confirmed before suspected; then by step."""
    return sorted(findings, key=lambda f: (ORDER[f.severity], f.confidence != "confirmed", f.step if f.step is not None else -1))
