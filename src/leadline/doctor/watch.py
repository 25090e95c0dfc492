"""`leadline.watch`: one line around any training loop, which says why it does not learn, and nothing when it does."""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Literal

from torch import nn
from torch.optim.optimizer import Optimizer

from leadline.doctor import ears
from leadline.doctor.evidence import Scene
from leadline.doctor.examine import SHOWN, examine, ranked
from leadline.doctor.heard import Heard
from leadline.doctor.lab import Lab
from leadline.doctor.twin import aside, bare, given_optimizers
from leadline.record.finding import Finding

FIRST = (0, 1, 2, 3)  # steps that are always recorded: broken loops show here
EXAMINED = (1, 2, 4, 10, 25, 50, 100, 200)  # steps after which the rules are asked; from there on at every doubling
ALLOWANCE_S = 0.5  # what the first examinations may cost before the budget counts
BAD_SEEN = 3  # values that are not finite, looked at as they come: a scaler's first steps may bring one that means nothing
SHORT_S = 10.0  # of training, below which the first examinations would be most of any share
SPACING = 10  # recorded steps are at least so far apart after the first ones


class Watch:
    """A doctor at work on one training: `with leadline.watch(model, optimizer) as doctor:`; see `watch`."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer | Sequence[Optimizer],
        loss_fn: Any = None,
        loader: Any = None,
        *,
        val_loader: Any = None,
        on_finding: Callable[[Finding], None] | None = None,
        on_nonfinite: Literal["continue", "stop"] = "continue",
        budget: float = 0.01,
        quiet: bool = False,
    ) -> None:
        self.model, self.on_finding, self.on_nonfinite, self.budget, self.quiet = model, on_finding, on_nonfinite, budget, quiet
        self.optimizers = given_optimizers(optimizer)
        self.heard = Heard(model, self.optimizers, loss_fn, self._closed)
        self.heard.when_bad = self._bad
        self.heard.when_starved = self._examine
        self.door: Literal["watch", "check"] = "watch"
        self._loss_fn, self._loader, self._val_loader = loss_fn, loader, val_loader
        self._found: dict[str, Finding] = {}
        self.scene: Scene | None = None
        self._next_record, self._next_exam = 0, EXAMINED[0]
        self._began = self._ended_at = self._own = self._examining = 0.0
        self._listening = False
        self._bad_seen = 0
        self.not_examined: dict[str, str] = {}

    # -- the door ----------------------------------------------------------------------------------------------------------------------

    def start(self) -> Watch:
        """Listen from here on."""
        if self._listening:
            return self
        began = time.perf_counter()
        try:
            with aside([self.model]):
                lab = Lab(bare(self.model), self.optimizers)
            self.scene = Scene(self.heard, self.model, self.optimizers, self._loss_fn, lab, self.door, self._loader, self._val_loader)
            ears.listen(self.heard)
            self._listening = True
            self.heard.begin_record()
        except Exception as error:  # noqa: BLE001 - the training goes on without a doctor rather than not at all
            self.heard.failed("start", error)
        self._began = time.perf_counter()
        self._own += self._began - began
        return self

    def stop(self) -> Watch:
        """Listen no longer; examine once more, and print what was found to stderr."""
        if not self._listening or self.scene is None:
            return self
        self._ended_at = time.perf_counter()
        self.heard.stop()
        ears.leave(self.heard)
        self._listening = False
        self.scene.ended = True
        self._examine()
        if not self.quiet:
            print(self.report(), file=sys.stderr)
        return self

    def __enter__(self) -> Watch:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def findings(self) -> list[Finding]:
        """What was found so far, worst first; what another finding explains is folded under it."""
        return ranked(list(self._found.values()))

    @property
    def overhead(self) -> float:
        """The doctor's own time as a share of the training's: start, examinations, and what recorded steps took longer than the others."""
        ended = self._ended_at or time.perf_counter()
        own = self._own + self._recording()[0]
        return own / max(ended - self._began - self._examining - self._recording()[0], 1e-9)

    @property
    def cost(self) -> str:
        """What it took, in words: a share of the time, or seconds where the training was too short for a share to mean much."""
        ended = self._ended_at or time.perf_counter()
        own = self._own + self._recording()[0]
        return f"{self.overhead:+.1%} time" if ended - self._began > SHORT_S else f"{own:.1f} s for it"

    def _recording(self) -> tuple[float, float]:
        """Seconds that recorded steps took longer: all together, and each (by medians; 0 while there are too few to say)."""
        recorded = [step.seconds for step in self.heard.steps[1:] if step.recorded]
        plain = [step.seconds for step in self.heard.steps[1:] if not step.recorded]
        if not recorded or not plain:
            return 0.0, 0.0
        each = max(statistics.median(recorded) - statistics.median(plain[-200:]), 0.0)
        return each * len(recorded), each

    def report(self) -> str:
        """At most three findings, and one line on what it cost."""
        shown = [finding for finding in self.findings if finding.severity != "note"]
        lines = [line for finding in shown[:SHOWN] for line in in_lines(finding)]
        more = f", {len(shown) - SHOWN} more in doctor.findings" if len(shown) > SHOWN else ""
        found = f"{len(shown)} found{more}" if shown else "nothing found"
        lines.append(f"watch: {found} in {len(self.heard.steps)} steps; {self.cost}")
        lines += [f"watch: the doctor failed itself: {failure}" for failure in self.heard.failures[:1]]
        return "\n".join(lines)

    # -- at work -----------------------------------------------------------------------------------------------------------------------

    def _closed(self, index: int) -> None:
        """After each optimizer step."""
        done = index + 1
        if done >= self._next_exam:
            self._examine()
            self._next_exam = self._following_exam(done)
        if index + 1 in FIRST or done >= self._next_record:
            self.heard.begin_record()
            self._next_record = done + self._spacing()

    def _following_exam(self, done: int) -> int:
        planned = next((step for step in EXAMINED if step > done), done * 2)
        return planned if self._within_budget() else max(planned, done * 2)

    def _within_budget(self) -> bool:
        elapsed = time.perf_counter() - self._began
        return self._own <= ALLOWANCE_S + self.budget * elapsed

    def _spacing(self) -> int:
        """Steps until the next recorded one: what a recording costs, against half the budget."""
        steps = len(self.heard.steps)
        if steps < SPACING:
            return 2
        plain = statistics.median(step.seconds for step in self.heard.steps[-20:])
        return max(SPACING, math.ceil(self._recording()[1] / (self.budget / 2 * max(plain, 1e-6))))

    def _bad(self, what: str, tensor: Any) -> None:
        """A loss or gradient is not finite: look at once, while the graph and the weights are still there."""
        assert self.scene is not None
        if "N01" not in self._found and self._bad_seen < BAD_SEEN:
            self._bad_seen += 1
            self.scene.kept["nonfinite_at"] = {"step": self.heard.now.index, "what": what, "tensor": tensor}
            self._examine()
            self.scene.kept["nonfinite_at"].pop("tensor")
        if self.on_nonfinite == "stop" and (what == "gradient" or "S" not in self.heard.now.events):
            raise ears.StopTraining(f"{what} is not finite at step {self.heard.now.index}; the weights are the last good ones")

    def _examine(self) -> None:
        assert self.scene is not None
        began = time.perf_counter()
        try:
            with aside([self.model]):
                result = examine(self.scene, known=set(self._found))
        except Exception as error:  # noqa: BLE001
            self.heard.failed("examine", error)
        else:
            self.not_examined = {**result.silent, **result.broken}
            self._keep(result.findings)
        seconds = time.perf_counter() - began
        self._own += seconds
        self._examining += seconds if self._listening else 0.0

    def _keep(self, findings: list[Finding]) -> None:
        for finding in findings:
            self._found[finding.code] = finding
        for finding in findings:
            if self.on_finding is not None and any(finding.code == kept.code for kept in self.findings):
                self.on_finding(finding)


def watch(
    model: nn.Module,
    optimizer: Optimizer | Sequence[Optimizer],
    loss_fn: Any = None,
    loader: Any = None,
    *,
    val_loader: Any = None,
    on_finding: Callable[[Finding], None] | None = None,
    on_nonfinite: Literal["continue", "stop"] = "continue",
    budget: float = 0.01,
    quiet: bool = False,
) -> Watch:
    """Watch any PyTorch training: `with leadline.watch(model, optimizer) as doctor:` around the loop, which stays as it is.

    model, optimizer: the network and its optimizer (or a list of optimizers). loss_fn, loader, val_loader: what the loop uses, where
    there are such objects. on_finding: called with each Finding when it is made. on_nonfinite: "stop" raises StopTraining before a NaN
    reaches the weights. budget: the share of the training's time that the doctor may take. quiet: prints nothing at the end.

    Model, optimizer, generators and modes are bit for bit what they would be without it. What it cannot hear it does not examine;
    `doctor.not_examined` says what and why. `doctor.findings` is a list of Finding, worst first.
    """
    settings: Any = {"val_loader": val_loader, "on_finding": on_finding, "on_nonfinite": on_nonfinite, "budget": budget, "quiet": quiet}
    return Watch(model, optimizer, loss_fn, loader, **settings)


def in_lines(finding: Finding) -> list[str]:
    """A finding as a person reads it."""
    where = ", ".join(part for part in (finding.where, f"step {finding.step}" if finding.step is not None else None) if part)
    return [
        f"{finding.severity}[{finding.code}] {finding.cause} ({finding.confidence}){f': {where}' if where else ''}",
        f"   {finding.explanation}",
        f"   do:  {finding.control.text}",
    ]
