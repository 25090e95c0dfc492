"""The doctor at a run: the very line a stranger uses around the loop, its findings told in the run's own steps and keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from leadline.doctor.examine import SHOWN, ranked, rules
from leadline.doctor.watch import Watch, in_lines
from leadline.flow.controls import after_nonfinite, in_recipe
from leadline.flow.setup import Rig
from leadline.record.finding import ORDER, Control, Finding
from leadline.record.run import Run
from leadline.training.batch_norm import has_batch_norm

Say = Callable[[str], None]


class Ward:
    """What is known of a run's health: findings of the preflight, of earlier starts and of the doctor at work, in findings.json.

    start: steps made before this start. act: called with each new finding, once it is in the run's words (`--heal` listens there).
    """

    def __init__(self, rig: Rig, run: Run, *, start: int, tell: Say, act: Callable[[Finding], None] | None = None) -> None:
        self.rig, self.run, self.start, self.tell, self.act = rig, run, start, tell, act
        self.earlier = [Finding.from_dict(entry) for entry in run.read("findings.json")] if run.path("findings.json").exists() else []
        self.met: list[Finding] = []  # by the loop itself
        self.doctor: Watch | None = None
        self._told: set[str] = set()

    def heard(self, finding: Finding) -> None:
        """A finding of the doctor, just made."""
        finding = self._ours(finding)
        if finding.code in self.rig.recipe.check.ignore:
            return
        self._write()
        self._say(finding)
        if self.act is not None:
            self.act(finding)

    def nonfinite(self, event: dict[str, Any]) -> Finding:
        """A step that the loop left out because its loss or gradient was not finite: a finding with the layer and the examples."""
        names = self.rig.prepared.examples.names
        keys = after_nonfinite(self.rig.recipe, event["where"])
        examples = [str(names[number]) for number in event["samples"]]
        found = Finding(
            code="N01",
            cause="not_finite",
            severity="error",
            confidence="confirmed",
            explanation=f"loss or gradient is not finite at step {event['step']} (loss {event['loss']}): {event['where']}",
            control=Control("look at the named examples, lower the learning rate, or set train.clip_norm", keys),
            step=event["step"],
            where=event["where"],
            evidence={"loss": event["loss"], "examples": examples},
        )
        found = in_recipe(found, self.rig.recipe)
        self.met.append(found)
        self._write()
        self._say(found)
        return found

    def close(self) -> None:
        """The last word: all findings, and what the doctor cost."""
        self._write()
        for finding in self._findings():
            self._say(finding)
        if self.doctor is None:
            return
        steps, failures = len(self.doctor.heard.steps), self.doctor.heard.failures
        self.run.write(
            "doctor.json",
            {
                "steps": steps,
                "from_step": self.start,
                "overhead": round(self.doctor.overhead, 4),
                "not_examined": self.doctor.not_examined,
                "failures": failures,
            },
        )
        found = sum(finding.severity != "note" for finding in self._findings())
        said = f"{found} found, see findings.json" if found else "nothing found"
        self.tell(f"doctor: {said} in {steps:,} steps; {self.doctor.cost}")

    def _findings(self) -> list[Finding]:
        live = [self._ours(finding) for finding in self.doctor.findings] if self.doctor else []
        accepted = self.rig.recipe.check.ignore
        return merged([*(found for found in live if found.code not in accepted), *self.met, *self.earlier])

    def _ours(self, finding: Finding) -> Finding:
        """In the run's steps (from 1, over all its starts) and the recipe's keys."""
        then = None
        if finding.step is not None and self.doctor is not None:
            steps = self.doctor.heard.steps
            at_step = next((step.lrs[0] for step in steps[finding.step : finding.step + 1] if step.lrs), None)
            then = finding.evidence.get("lr") or at_step  # the rate that the rule speaks of, which need not be that of the first bad step
            ours = finding.step + 1 + self.start
            told = re.sub(rf"\bstep {finding.step}\b", f"step {ours}", finding.explanation)
            finding = replace(finding, step=ours, explanation=told)
        return in_recipe(finding, self.rig.recipe, lr_then=then)

    def _write(self) -> None:
        self.run.write("findings.json", [finding.to_dict() for finding in self._findings()])

    def _say(self, finding: Finding) -> None:
        """On screen while it is among the first few; in the log always; each code once."""
        if finding.severity == "note" or finding.code in self._told or any(finding.code == known.code for known in self.earlier):
            return
        self._told.add(finding.code)
        say = self.tell if len(self._told) <= SHOWN else self.run.log
        keys = " ".join(f"{key}={value}" for key, value in finding.control.set.items())
        say("\n".join([*in_lines(finding), *([f"   set: {keys}"] if keys else [])]))


@contextmanager
def watched(rig: Rig, run: Run | None, *, start: int, tell: Say, act: Callable[[Finding], None] | None = None) -> Iterator[Ward | None]:
    """The doctor around a run's training; None where it is not wanted, or where this process does not write the run."""
    if run is None:
        yield None
        return
    ward = Ward(rig, run, start=start, tell=tell, act=act)
    if rig.recipe.check.doctor != "off" and not (rig.world.size > 1 and has_batch_norm(rig.model)):  # one process cannot replay those alone
        ward.doctor = Watch(rig.model, list(rig.optimizers.optimizers), quiet=True, on_finding=ward.heard)
    try:
        if ward.doctor is None:
            yield ward
        else:
            with ward.doctor:
                yield ward
    finally:
        ward.close()


def merged(findings: list[Finding]) -> list[Finding]:
    """Worst first, one of each code (the first given, unless another is worse), and what a root explains folded under it."""
    kept: dict[str, Finding] = {}
    for finding in findings:
        known = kept.get(finding.code)
        if known is None or ORDER[finding.severity] < ORDER[known.severity]:
            kept[finding.code] = finding
    codes = {rule.code for rule in rules()}
    known = ranked([finding for finding in kept.values() if finding.code in codes])
    rest = [finding for finding in kept.values() if finding.code not in codes]
    return sorted([*known, *rest], key=lambda finding: (ORDER[finding.severity], finding.confidence != "confirmed"))
