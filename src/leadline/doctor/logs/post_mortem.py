"""The post-mortem of a training from its log alone: how it went, what the curves show, and what no log can tell. No torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from leadline.base.errors import InputError
from leadline.base.find import module, names
from leadline.doctor.logs.trace import Trace
from leadline.doctor.logs.verdict import Verdict, verdict
from leadline.record.finding import Finding, worst_first

READERS = ("run", "trainer_state", "tensorboard", "csv_table")  # a run folder holds a tensorboard folder too, so it is asked first
KNOWN = "a run folder, a TensorBoard folder, trainer_state.json, or a CSV of losses"
BLIND = "a log has no weights, gradients or batches"


@dataclass(frozen=True)
class PostMortem:
    """verdict: how the loss went. findings: worst first. not_examined: code (or "everything else") -> why a log cannot tell."""

    trace: Trace
    verdict: Verdict
    findings: tuple[Finding, ...]
    not_examined: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON fields."""
        series = {name: len(values) for name, values in self.trace.series.items()}
        told = {"log": self.trace.name, "kind": self.trace.kind, "series": series, "notes": list(self.trace.notes)}
        findings = [finding.to_dict() for finding in self.findings]
        return {**told, "verdict": asdict(self.verdict), "findings": findings, "not_examined": self.not_examined}


def read(path: Path) -> Trace:
    """The trace in a log, by the first reader that recognises it. Raises InputError LL001 or LL004."""
    if not path.exists():
        raise InputError("LL001", f"there is no log {path}", where=str(path), help=KNOWN)
    for name in READERS:
        reader = module(f"leadline.doctor.logs.readers.{name}")
        if reader.recognises(path):
            return reader.read(path)
    raise InputError("LL004", f"{path} is no log that is known here", where=str(path), help=KNOWN)


def examine(trace: Trace) -> PostMortem:
    """Every cause that a log can show, asked of one trace."""
    how = verdict(trace)
    findings: list[Finding] = []
    silent: dict[str, str] = {}
    asked: set[str] = set()
    for name in names("doctor.logs.causes"):
        cause = module(f"leadline.doctor.logs.causes.{name}").CAUSE
        missing = [series for series in cause.needs if trace.get(series) is None]
        if missing:
            silent[cause.code] = f"{cause.cause}: the log has no {' and no '.join(missing)}"
            continue
        asked.add(cause.code)
        found = cause.examine(trace, how)
        findings += [found] if found is not None else []
    if how.state == "too short":
        silent["shape"] = how.why
    silent["everything else"] = f"{BLIND}: leadline.check and leadline.watch look at those"
    return PostMortem(trace, how, tuple(worst_first(folded(findings))), silent)


def folded(findings: list[Finding]) -> list[Finding]:
    """A NaN and a rise of the loss are one event: the suspected rate stands in the NaN's evidence."""
    codes = {finding.code for finding in findings}
    guessed = ("O01", "M02") if "N01" in codes else ()
    return [finding for finding in findings if finding.code not in guessed or finding.confidence == "confirmed"]
