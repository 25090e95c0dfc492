"""The preflight: six questions before a long run, each asked by doing it on a copy, answered yes, no or not examined, with evidence.

After them the doctor tries the set-up on a copy of its own (`rehearsal.py`); what it finds stands with what the six found.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from leadline.base.errors import LeadlineError, Stopped
from leadline.data.split import verify_disjoint
from leadline.evaluate.evaluate import predict_all
from leadline.evaluate.predictions import comparable
from leadline.flow.overfit import Overfit, learn_by_heart, loss_at_start
from leadline.flow.rehearsal import rehearse
from leadline.flow.setup import Rig, copy_of
from leadline.flow.watching import merged
from leadline.models.undisturbed import generators_kept
from leadline.record.finding import QUESTIONS, Answer, Control, Finding, worst_first
from leadline.training.checkpoint import Checkpoints, Saved
from leadline.training.loop import fit
from leadline.training.meter import Silent

TRIAL_STEPS = 4  # of the resume test: two before the stop, two after it
TRIAL_BATCH = 16
MOST_SHARED = 0.01  # share of the validation examples that may stand in the training data too before scores flatter too much to go on
CLOSE = 1e-4  # largest difference of fp32 outputs that another batch size may make: kernels add in another order


@dataclass(frozen=True)
class Preflight:
    """The six answers by question, and what they found."""

    answers: dict[str, Answer]
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def blocks(self) -> bool:
        """Whether training as it is set up cannot succeed."""
        return any(answer.blocks for answer in self.answers.values()) or any(found.severity == "error" for found in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """As checks.json has it."""
        return {question: answer.to_dict() for question, answer in self.answers.items()}


Asked = tuple[Answer, list[Finding]]


def preflight(rig: Rig, *, schedule_plot: Path | None, say: Callable[[str], None]) -> Preflight:
    """Ask all six. Model, optimizers, generators and modes of `rig` are bit for bit as before. schedule_plot: the drawing that was made."""
    started = time.perf_counter()
    questions: dict[str, Callable[[Rig], Asked]] = {
        "one batch overfits": one_batch_overfits,
        "gradient norms logged": gradient_norms,
        "validation split clean": split_is_clean,
        "checkpoint resume tested": resume_is_exact,
        "learning-rate schedule plotted": lambda each: schedule_is_plotted(each, schedule_plot),
        "eval mode used for validation": eval_mode,
    }
    answers: dict[str, Answer] = {}
    findings: list[Finding] = []
    accepted = rig.recipe.check.ignore
    for question in QUESTIONS:
        with generators_kept():
            answer, found = questions[question](rig)
        if found and all(finding.code in accepted for finding in found):
            reasons = {finding.code: accepted[finding.code] for finding in found}
            answer, found = Answer(answer.answer, {**answer.evidence, "accepted": reasons}), []
        answers[question] = answer
        findings += found
        say(f"check: {question}: {answer.answer} ({answer.evidence['in_words']})")
    if rig.recipe.check.doctor == "on":
        found, words = rehearse(rig)
        say(f"check: doctor: {words}")
        findings = merged([*found, *findings])
    return Preflight(answers, tuple(worst_first(findings)), time.perf_counter() - started)


def one_batch_overfits(rig: Rig) -> Asked:
    """Whether a copy of the network, regularisers off, learns one batch by heart: its loss falls below 1 % of the start."""
    result = learn_by_heart(rig)
    what = f"loss {result.start:.4g} to {result.end:.2g} in {result.steps} steps on {result.examples} examples"
    evidence = {"in_words": what, **result.to_dict()}
    if result.learnt:
        return Answer("yes", evidence), []
    if result.timed_out:
        reason = f"the time for this check ended at {what}"
        return Answer("not examined", {**evidence, "in_words": reason, "reason": reason}), []
    dead = result.end > 0.9 * result.start
    finding = Finding(
        code="M15",
        cause="capacity_too_small",
        severity="error" if dead else "note",
        confidence="suspected",
        explanation=_overfit_words(result, dead=dead),
        control=Control("use a wider or deeper network, and look at labels and inputs of the shown batch"),
        evidence=evidence,
    )
    return Answer("no", evidence, blocks=dead), [finding]


def gradient_norms(rig: Rig) -> Asked:
    """Whether a backward pass on a real batch gives each trainable parameter a finite gradient; the loop logs the same norms each step."""
    model, _ = copy_of(rig)
    loss_at_start(model, rig).backward()
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    silent = [name for name, parameter in trained.items() if parameter.grad is None]
    norms = {name: float(p.grad.double().norm()) for name, p in trained.items() if p.grad is not None}
    broken = [name for name, norm in norms.items() if not np.isfinite(norm)]
    finite = [norm for name, norm in norms.items() if name not in broken]
    span = f"{min(finite):.2g} to {max(finite):.2g}" if finite else "none finite"
    evidence: dict[str, Any] = {
        "in_words": f"norms of {len(norms)} of {len(trained)} parameter tensors: {span}",
        "parameters": len(trained),
        "smallest_norm": min(finite, default=None),
        "largest_norm": max(finite, default=None),
        "without_gradient": silent,
        "logged": "grad_norm and grad_norms (by layer) of each step in metrics.jsonl",
    }
    if broken:
        finding = Finding(
            code="N01",
            cause="not_finite",
            severity="error",
            confidence="confirmed",
            explanation=f"the very first gradient is not finite in {', '.join(broken[:3])}",
            control=Control("lower the learning rate, use fp32, look for zeros under a logarithm or a division"),
            where=broken[0],
            evidence={"parameters": broken},
        )
        return Answer("no", {**evidence, "not_finite": broken}, blocks=True), [finding]
    if silent:
        finding = Finding(
            code="M10",
            cause="detached_graph",
            severity="error" if len(silent) == len(trained) else "warning",
            confidence="confirmed",
            explanation=f"{len(silent)} of {len(trained)} trainable parameters get no gradient: {', '.join(silent[:3])}",
            control=Control("connect them to the loss, or freeze them"),
            where=silent[0],
            evidence={"parameters": silent},
        )
        return Answer("no", evidence, blocks=len(silent) == len(trained)), [finding]
    return Answer("yes", evidence), []


def split_is_clean(rig: Rig) -> Asked:
    """Whether no example, no group and no equal content stands on two sides, counted anew from the data."""
    split = rig.prepared.split
    evidence = verify_disjoint(split, rig.prepared.examples)
    evidence["hashes"] = {side: digest[:12] for side, digest in evidence["hashes"].items()}  # facts.json has them whole
    counts = ", ".join(f"{count:,} {side}" for side, count in evidence["examples"].items())
    if evidence["clean"]:
        return Answer("yes", {"in_words": f"{counts}; nothing stands on two sides", **evidence}), []
    shared = {pair: count for pair, count in evidence["content_shared"].items() if count}
    share = max((count / max(1, len(split.sides()[pair.split("/")[1]])) for pair, count in shared.items()), default=0.0)
    blocks = share > MOST_SHARED or not evidence["indices_disjoint"] or evidence["groups_disjoint"] is False
    near = evidence["near_twins_across"] or 0
    told = ", ".join(f"{count:,} contents stand in both {pair.replace('/', ' and ')}" for pair, count in shared.items())
    finding = Finding(
        code="D06",
        cause="split_leakage",
        severity="error" if blocks else "warning" if shared else "note",
        confidence="confirmed",
        explanation=told or f"{near:,} pairs of like pictures stand on two sides",
        control=Control("let leadline cut the data itself, twins together", {"data.split.given": False}),
        evidence=evidence,
    )
    return Answer("no", {"in_words": finding.explanation, **evidence}, blocks=blocks), [finding]


def resume_is_exact(rig: Rig) -> Asked:
    """Whether a run of four steps, and one stopped after two and gone on from its checkpoint, end with the same weights."""
    rows = rig.prepared.split.train[: TRIAL_STEPS * TRIAL_BATCH]
    size = max(1, min(TRIAL_BATCH, len(rows) // TRIAL_STEPS))
    started = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory() as folder:
            whole = _trial(rig, rows, size=size, folder=Path(folder, "whole"))
            torn = _trial(rig, rows, size=size, folder=Path(folder, "torn"), stop_after=TRIAL_STEPS // 2)
    except LeadlineError as error:
        if error.code != "LL031":
            raise
        reason = f"{TRIAL_STEPS} steps at the peak learning rate do not stay finite"
        return Answer("not examined", {"in_words": reason, "reason": reason, "met": error.message}), []
    largest = max((float((a - b).abs().max()) for a, b in zip(whole, torn, strict=True) if a.numel()), default=0.0)
    equal = largest == 0.0 if rig.device.type == "cpu" else largest <= CLOSE
    how = "equal to the bit" if largest == 0.0 else f"{largest:.2g} apart"
    evidence = {
        "in_words": f"{TRIAL_STEPS} steps at once, and stopped after {TRIAL_STEPS // 2} and resumed: weights {how}",
        "steps": TRIAL_STEPS,
        "largest_difference": largest,
        "bitwise": largest == 0.0,
        "seconds": round(time.perf_counter() - started, 2),
    }
    if equal:
        return Answer("yes", evidence), []
    finding = Finding(
        code="H06",
        cause="not_resumable",
        severity="warning",
        confidence="confirmed",
        explanation=f"four steps, and two and two with a resume between, end {largest:.2g} apart",
        control=Control("the network draws randomness or keeps state outside its parameters and buffers: make it a buffer"),
        evidence=evidence,
    )
    return Answer("no", evidence), [finding]


def schedule_is_plotted(rig: Rig, plot: Path | None) -> Asked:
    """The learning rate of every step, known before the first; drawn in the run folder."""
    rates = rig.schedule
    at = [round(i * (len(rates) - 1) / 9) for i in range(10)]
    name = rig.recipe.train.schedule.name
    evidence = {
        "in_words": f"{name} over {len(rates):,} steps: {rates[0]:.2g} at first, {max(rates):.2g} at most, {rates[-1]:.2g} at last",
        "schedule": name,
        "steps": len(rates),
        "first": rates[0],
        "peak": max(rates),
        "last": rates[-1],
        "at_tenths": [rates[i] for i in at],
        "plot": None if plot is None else f"plots/{plot.name}",
    }
    if plot is not None and not plot.exists():
        return Answer("no", evidence), []
    return Answer("yes", evidence), []


def eval_mode(rig: Rig) -> Asked:
    """Whether validation twice gives equal outputs, and batches of another size give the same ones."""
    rows = rig.prepared.split.val[: rig.at_once]
    if not len(rows):
        reason = "there are no validation examples"
        return Answer("not examined", {"in_words": reason, "reason": reason}), []
    sizes = (len(rows), len(rows), max(1, len(rows) // 7))
    first, again, small = (_outputs(rig, rows, size=size, seed=seed) for seed, size in enumerate(sizes))
    repeated = float(np.abs(first - again).max())
    scale = max(1.0, float(np.abs(first).max()))
    resized = float(np.abs(first - small).max()) / scale
    words = f"two passes over {len(rows)} examples differ by {repeated:.2g}, another batch size by {resized:.1g}"
    evidence = {"in_words": words, "two_passes_differ_by": repeated, "other_batch_size_differs_by": resized, "examples": len(rows)}
    if repeated == 0.0 and resized <= CLOSE:
        return Answer("yes", evidence), []
    what = "two passes over the same examples differ" if repeated else "an example's answer depends on the others in its batch"
    finding = Finding(
        code="E01",
        cause="eval_in_train_mode",
        severity="error",
        confidence="confirmed",
        explanation=f"{what}, by {max(repeated, resized):.2g}: dropout or batch statistics are active in evaluation",
        control=Control("have every layer heed eval mode"),
        evidence=evidence,
    )
    return Answer("no", evidence, blocks=True), [finding]


def _outputs(rig: Rig, rows: np.ndarray, *, size: int, seed: int) -> np.ndarray:
    torch.manual_seed(seed)  # another one for each pass: chance that is drawn in eval mode must not repeat itself
    found = predict_all(rig.model, rig.prepared.task, batches=rig.batches.sequential(rows, size))
    return comparable(found.scored)


def _trial(rig: Rig, rows: np.ndarray, *, size: int, folder: Path, stop_after: int | None = None) -> list[torch.Tensor]:
    """The weights after one short epoch in the real loop, in one go or stopped and resumed."""
    saved: Saved | None = None
    if stop_after is not None:
        try:
            _short_run(rig, rows, size=size, folder=folder, stop_after=stop_after, saved=None)
        except Stopped:
            saved = Checkpoints(folder).newest()
        if saved is None:
            raise LeadlineError("LL038", "the resume test saved no checkpoint", where="preflight")
    model = _short_run(rig, rows, size=size, folder=folder, stop_after=None, saved=saved)
    return [tensor.detach().double().cpu() for tensor in model.state_dict().values()]


def _short_run(rig: Rig, rows: np.ndarray, *, size: int, folder: Path, stop_after: int | None, saved: Saved | None) -> nn.Module:
    model, optimizers = copy_of(rig)
    batches = rig.short(rows, batch_size=size)
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked == stop_after

    torch.manual_seed(rig.recipe.train.seed + 1)  # a resumed run must take its generators from the checkpoint, and not from here
    fit(
        model,
        rig.prepared.task,
        batches,
        rig.recipe.train.model_copy(
            update={"epochs": 1, "early_stop": None, "compile": False, "accumulate": min(rig.recipe.train.accumulate, size)}
        ),
        optimizers=optimizers,
        schedule=[float(rig.recipe.train.optimizer.lr)] * batches.steps,
        precision=rig.precision,
        device=rig.device,
        journal=Silent(),
        checkpoints=Checkpoints(folder),
        validate=None,
        stop=stop,
        state=saved,
    )
    return model


def _overfit_words(result: Overfit, *, dead: bool) -> str:
    fall = f"in {result.steps} steps on one batch of {result.examples} the loss went from {result.start:.4g} to {result.end:.4g}"
    return (
        f"{fall}: nothing is learnt"
        if dead
        else f"{fall}: the network cannot learn {result.examples} examples by heart, so it may be too small"
    )
