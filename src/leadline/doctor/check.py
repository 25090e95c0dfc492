"""`leadline.check`: preflight of anyone's own set-up: a short trial on copies under the doctor's ears, then every rule."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer
from torch.utils.data import DataLoader

from leadline.doctor.checklist import checklist
from leadline.doctor.evidence import Scene
from leadline.doctor.twin import aside, bare, copied, given_optimizers
from leadline.doctor.watch import Watch, in_lines
from leadline.models.undisturbed import generators_kept
from leadline.record.finding import Answer, Finding

TRIAL_STEPS = 100  # of training on the copy at most: enough for what shows late to show
TRIAL_SHARE = 0.5  # of the seconds; the rest is for replays
VAL_BATCHES = 8
ROWS = 2048  # of data read at most, for label statistics and neighbours

StepFunction = Callable[[nn.Module, Any, Optimizer, Any], Any]


@dataclass(frozen=True)
class Report:
    """findings: worst first. checklist: the six answers by question. not_examined: code -> why a rule could not be asked. failure: what the
    training step raised, where it did."""

    findings: list[Finding]
    checklist: dict[str, Answer]
    not_examined: dict[str, str]
    seconds: float
    steps: int
    failure: str | None = None

    @property
    def blocks(self) -> bool:
        """Whether training as it is set up cannot succeed."""
        return self.failure is not None or any(finding.severity == "error" for finding in self.findings)

    def __str__(self) -> str:
        lines = [f"{answer.answer:>12}  {question}: {answer.evidence.get('in_words', '')}" for question, answer in self.checklist.items()]
        lines += [line for finding in self.findings if finding.severity != "note" for line in in_lines(finding)]
        lines += [f"the training step raised {self.failure}"] if self.failure else []
        found = sum(finding.severity != "note" for finding in self.findings)
        return "\n".join([*lines, f"check: {found or 'nothing'} found in {self.seconds:.1f} s, {self.steps} trial steps on a copy"])


def default_step(model: nn.Module, loss_fn: Any, optimizer: Optimizer, batch: Any) -> Tensor:
    """zero_grad, loss_fn(model(x), y), backward, step; a dict batch goes to the model as keywords, and its own loss is taken."""
    optimizer.zero_grad()
    loss = loss_of(model, loss_fn, batch)
    loss.backward()
    optimizer.step()
    return loss


def loss_of(model: nn.Module, loss_fn: Any, batch: Any) -> Tensor:
    """The loss of a batch (x, y), (x1, x2, ..., y) or a dict that the model takes as keywords."""
    if isinstance(batch, dict):
        output = model(**batch)
        return output["loss"] if loss_fn is None or "loss" in output else loss_fn(output, batch)
    *inputs, target = batch
    return loss_fn(model(*inputs), target)


def check(
    model: nn.Module,
    loss_fn: Any,
    optimizer: Optimizer,
    loader: Any,
    val_loader: Any = None,
    step: StepFunction | None = None,
    *,
    seconds: float = 10.0,
) -> Report:
    """Preflight of one's own set-up in about `seconds`: a short trial on copies, then every rule. Nothing of the caller's is changed.

    loss_fn(output, target) -> scalar, or None where the model gives its own loss. loader, val_loader: iterables of batches.
    step(model, loss_fn, optimizer, batch) -> loss: one's own training step, when the default (zero_grad, loss_fn(model(x), y), backward,
    step) is not it. Weights, optimizer, generators, modes and buffers are bit for bit as before. Raises TypeError where model or optimizer
    are not torch's, NotReplayable where they cannot be copied.
    """
    began = time.perf_counter()
    originals = given_optimizers(optimizer)
    with _nothing_changes(model, [loader, val_loader]):
        twin, twin_optimizers, twin_loss = copied(bare(model), originals, loss_fn)
        doctor = Watch(twin, twin_optimizers, twin_loss, loader, val_loader=val_loader, quiet=True, budget=1.0)
        doctor.door = "check"
        given: Any = twin_optimizers[0] if len(twin_optimizers) == 1 else twin_optimizers
        trial = _Trial(doctor, twin, twin_loss, given, step or default_step)
        trial.run(loader, val_loader, began + TRIAL_SHARE * seconds)
        scene = doctor.scene
        assert scene is not None
        with aside([twin]):
            answers = checklist(scene, doctor.findings)
    error = scene.kept.get("step_failed")
    failure = None if error is None else f"{type(error).__name__}: {error}"
    return Report(doctor.findings, answers, doctor.not_examined, time.perf_counter() - began, len(doctor.heard.steps), failure)


class _Trial:
    """The short training on the copy."""

    def __init__(self, doctor: Watch, model: nn.Module, loss_fn: Any, optimizer: Optimizer, step: StepFunction) -> None:
        self.doctor, self.model, self.loss_fn, self.optimizer, self.step = doctor, model, loss_fn, optimizer, step

    def run(self, loader: Any, val_loader: Any, deadline: float) -> None:
        """Train until TRIAL_STEPS or the deadline, then validate, then examine for the last time. A step that raises ends the trial."""
        with self.doctor:
            try:
                for batch in self._batches(loader, deadline):
                    self.step(self.model, self.loss_fn, self.optimizer, batch)
            except Exception as error:  # noqa: BLE001 - what the user's step raises is what this check is to explain
                self._scene.kept["step_failed"] = error
            self._read_on(loader, deadline)
            self._validate(val_loader)

    @property
    def _scene(self) -> Scene:
        assert self.doctor.scene is not None
        return self.doctor.scene

    def _batches(self, loader: Any, deadline: float) -> Iterator[Any]:
        done = 0
        while done < TRIAL_STEPS:
            before = done
            for batch in self._heard_from(loader):
                yield batch
                done += 1
                if done >= TRIAL_STEPS or time.perf_counter() > deadline:
                    return
            if done == before:
                return

    def _heard_from(self, loader: Any) -> Iterator[Any]:
        """The loader's batches; a loader that is not torch's cannot be heard, so it is told of here."""
        for batch in loader:
            if not isinstance(loader, DataLoader):
                self.doctor.heard.on_batch(loader, batch)
            yield batch

    def _read_on(self, loader: Any, deadline: float) -> None:
        """More data for the statistics, without training."""
        sample = self.doctor.heard.samples.get(id(loader))
        if sample is None or sample.begun > 1:
            return  # all of it was seen
        for _ in self._heard_from(loader):
            if sample.rows >= ROWS or time.perf_counter() > deadline:
                return

    def _validate(self, val_loader: Any) -> None:
        if val_loader is None:
            return
        self.model.eval()
        with torch.no_grad():
            for number, batch in enumerate(self._heard_from(val_loader)):
                if number < VAL_BATCHES and not isinstance(batch, dict):
                    self._ask(batch)
                if self.doctor.heard.samples[id(val_loader)].rows >= ROWS:
                    break
        self.model.train()

    def _ask(self, batch: Any) -> None:
        """The loss of a validation batch, for the ears. Where it cannot be had so, the user's own step knows how; the data is read
        anyway."""
        with suppress(Exception):
            loss_of(self.model, self.loss_fn, batch)


@contextmanager
def _nothing_changes(model: nn.Module, loaders: list[Any]) -> Iterator[None]:
    """Generators of the process and of the loaders, modes of the model, and the gradient mode are as before when it ends."""
    generators = [g for loader in loaders for g in _generators(loader)]
    states = [generator.get_state() for generator in generators]
    modes = [(module, module.training) for module in model.modules()]
    with ExitStack() as stack:
        stack.enter_context(generators_kept())
        stack.enter_context(torch.enable_grad())
        try:
            yield
        finally:
            for module, mode in modes:
                module.training = mode
            for generator, state in zip(generators, states, strict=True):
                generator.set_state(state)


def _generators(loader: Any) -> list[torch.Generator]:
    holders = [loader, getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None), getattr(loader, "dataset", None)]
    found = [getattr(holder, "generator", None) for holder in holders]
    return [generator for generator in found if isinstance(generator, torch.Generator)]
