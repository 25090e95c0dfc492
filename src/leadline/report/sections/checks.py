"""The six preflight answers and the findings, as rows a page can show."""

from __future__ import annotations

from typing import Any

from leadline.record.finding import QUESTIONS
from leadline.report.folder import RunFolder, mapping
from leadline.report.words import plain

TONES = {"yes": "good", "no": "bad", "not examined": "open"}
SIGNS = {"yes": "✓", "no": "✗", "not examined": "–"}
SEVERITY = {"error": "bad", "warning": "warn", "note": "open"}


def view(run: RunFolder) -> dict[str, Any]:
    """One row a question, in the fixed order; a question nobody answered is "not examined", with the reason."""
    rows = [_row(question, mapping(run.checks.get(question)), missing=run.why("checks.json")) for question in QUESTIONS]
    counts = {answer: sum(row["answer"] == answer for row in rows) for answer in TONES}
    return {"rows": rows, "summary": ", ".join(f"{count} {answer}" for answer, count in counts.items() if count)}


def _row(question: str, answer: dict[str, Any], *, missing: str) -> dict[str, Any]:
    said = str(answer.get("answer", "not examined"))
    evidence = answer.get("evidence")
    if not answer:
        evidence = missing
    details = {key: value for key, value in mapping(evidence).items() if key != "in_words"}
    return {
        "question": question,
        "answer": said,
        "tone": TONES.get(said, "open"),
        "sign": SIGNS.get(said, "–"),
        "text": str(evidence.get("in_words", "")) if isinstance(evidence, dict) else plain(evidence),
        "pairs": [(str(key).replace("_", " "), _said(value)) for key, value in details.items()],
    }


def _said(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else "not asked" if value is None else plain(value)


def findings(run: RunFolder) -> dict[str, Any]:
    """Findings worst first, each with its control as recipe keys; `looked` is False when nobody looked."""
    return {"looked": run.findings is not None, "why": run.why("findings.json"), "rows": [_finding(entry) for entry in run.findings or []]}


def _finding(entry: dict[str, Any]) -> dict[str, Any]:
    control = mapping(entry.get("control"))
    step = entry.get("step")
    where = [f"step {step}" if step is not None else "", str(entry.get("where") or "")]
    return {
        "code": entry.get("code", ""),
        "cause": str(entry.get("cause", "")).replace("_", " "),
        "severity": entry.get("severity", "note"),
        "tone": SEVERITY.get(str(entry.get("severity")), "open"),
        "confidence": entry.get("confidence", ""),
        "explanation": entry.get("explanation", ""),
        "where": ", ".join(part for part in where if part),
        "control": control.get("text", ""),
        "keys": [f"{key}={plain(value)}" for key, value in mapping(control.get("set")).items()],
        "evidence": [(str(key).replace("_", " "), plain(value)) for key, value in mapping(entry.get("evidence")).items()],
    }
