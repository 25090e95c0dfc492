"""The six preflight answers for a set-up of one's own, in the order and wording that checks.json has."""

from __future__ import annotations

from typing import Any

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.record.finding import QUESTIONS, Answer, Finding

SIGNALS = ("one_batch", "gradient_norms", "split_overlap", "resume", "schedule", "eval_twice")
"""The signal that answers each question; its value has `answer` ("yes" or "no") and `in_words`."""


def checklist(scene: Scene, findings: list[Finding]) -> dict[str, Answer]:
    """Every question answered by what was measured, or "not examined" with the reason."""
    evidence = Evidence(scene)
    return {question: _answer(evidence, signal) for question, signal in zip(QUESTIONS, SIGNALS, strict=True)}


def _answer(evidence: Evidence, signal: str) -> Answer:
    try:
        value: Any = evidence[signal]
    except NotExamined as reason:
        return Answer("not examined", {"in_words": str(reason)})
    except Exception as error:  # noqa: BLE001 - a measurement that breaks answers nothing, and says so
        return Answer("not examined", {"in_words": f"the measurement failed: {type(error).__name__}: {error}"})
    return Answer(value.answer, {"in_words": value.in_words, **value.to_dict()})
