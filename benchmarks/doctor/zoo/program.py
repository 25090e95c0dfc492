"""The contract: one training program (a Setup of replaceable parts), the plain user loop around it, and what came of it."""

from __future__ import annotations

import copy
import hashlib
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

Data = tuple[Tensor, ...]


def plain_forward(setup: Setup, batch: Data) -> Any:
    """The model on the batch's first tensor."""
    return setup.model(batch[0])


def plain_objective(setup: Setup, output: Any, batch: Data) -> Tensor:
    """The loss of the output against the batch's second tensor."""
    return setup.loss_fn(output, batch[1])


def update(setup: Setup) -> None:
    """Clip, step, schedule: what follows a full backward pass."""
    if setup.clip is not None:
        if setup.scaler is not None:
            setup.scaler.unscale_(setup.optimizer)
        nn.utils.clip_grad_norm_(setup.model.parameters(), setup.clip)
    if setup.scaler is not None:
        setup.scaler.step(setup.optimizer)
        setup.scaler.update()
    else:
        setup.optimizer.step()
    if setup.scheduler is not None and setup.schedule_per == "step":
        setup.scheduler.step()
    setup.after_update(setup)


def plain_step(setup: Setup, batch: Data, index: int) -> Tensor:
    """One micro-step: zero_grad, forward, backward, and the update when the accumulation is full. Gives the batch's mean loss."""
    if index % setup.accumulate == 0:
        setup.optimizer.zero_grad()
    with casting(setup):
        loss = setup.objective(setup, setup.forward(setup, batch), batch)
    part = loss / setup.accumulate
    (setup.scaler.scale(part) if setup.scaler is not None else part).backward()
    if (index + 1) % setup.accumulate == 0:
        update(setup)
    return loss


def plain_batches(setup: Setup) -> Iterable[Data]:
    """One epoch's batches."""
    return setup.loader


def plain_epoch(setup: Setup, epoch: int) -> None:
    """What a program does at an epoch's start: nothing."""


def plain_after_update(setup: Setup) -> None:
    """The teacher, where there is one, follows as an average of the weights."""
    if setup.teacher is None:
        return
    with torch.no_grad():
        for mine, theirs in zip(setup.teacher.parameters(), setup.model.parameters(), strict=True):
            mine.lerp_(theirs, 1 - setup.teacher_decay)


def plain_validate(setup: Setup) -> None:
    """The validation pass inside the loop, as people write it; the mean loss goes to `setup.val_losses`."""
    setup.model.eval()
    with torch.no_grad():
        losses = [setup.objective(setup, setup.forward(setup, batch), batch).item() for batch in setup.val_loader]
    setup.val_losses.append(sum(losses) / len(losses))
    setup.model.train()


@dataclass
class Setup:
    """Everything of one training program. Change it with `dataclasses.replace`, `with_model`, `with_optimizer` or `with_data`.

    First what the user has, then how their loop goes, then the small functions of the loop, then what only the zoo knows.
    """

    model: nn.Module
    loss_fn: Callable[..., Tensor]
    optimizer: Any  # an Optimizer; a GAN has a list of two
    loader: DataLoader[Any]
    val_loader: DataLoader[Any]

    steps: int  # micro-steps
    scheduler: Any = None
    schedule_per: Literal["step", "epoch"] = "step"
    scaler: Any = None
    autocast: torch.dtype | None = None
    accumulate: int = 1
    clip: float | None = None
    teacher: nn.Module | None = None
    teacher_decay: float = 0.99
    validate_every: int = 100  # micro-steps, rounded up to the epoch's end

    forward: Callable[[Setup, Data], Any] = plain_forward
    objective: Callable[[Setup, Any, Data], Tensor] = plain_objective
    step: Callable[[Setup, Data, int], Tensor] = plain_step
    batches: Callable[[Setup], Iterable[Data]] = plain_batches
    new_epoch: Callable[[Setup, int], None] = plain_epoch
    after_update: Callable[[Setup], None] = plain_after_update
    validate: Callable[[Setup], None] = plain_validate

    # What only the zoo knows: never shown to the doctor.
    family: str = ""
    task: str = "classify"  # classify, binary, regress, tokens, reconstruct, segment, nodes, denoise, contrast, gan
    num_classes: int = 0
    head: str = ""  # the dotted name of the last linear or convolution: setup.model.get_submodule(setup.head)
    train_data: Data = ()
    val_data: Data = ()
    test_data: Data = ()  # what score() measures on
    score: Callable[[Setup], float] = field(default=lambda setup: float("nan"))  # honest, held out, eval mode; higher is better
    chance: float = 0.0
    good: float = 1.0  # a healthy program reaches this score
    build_model: Callable[..., nn.Module] | None = None  # the family's model again; options: see the family's own `model`
    make_optimizer: Callable[[Any], Any] | None = None  # of parameters (or groups)
    make_scheduler: Callable[[Any], Any] | None = None  # of an optimizer
    seed: int = 0

    losses: list[float] = field(default_factory=list)
    val_losses: list[float] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)  # scratch of replaced functions


@dataclass(frozen=True)
class Program:
    """One animal of the zoo: where it comes from and how to build it. `recipe` is its settings in words, for the name and the half."""

    name: str
    family: str
    data: str
    recipe: str
    make: Callable[[int], Setup]
    fault: str | None = None
    variant: str = ""
    traits: tuple[str, ...] = ()

    @property
    def half(self) -> Literal["tuned", "held_out"]:
        """Thresholds may be set on the tuned half only; the half hangs on family, data and recipe, never on the fault."""
        digest = hashlib.sha256(f"{self.family}/{self.data}/{self.recipe}".encode()).digest()
        return "tuned" if digest[0] % 2 == 0 else "held_out"

    def build(self, seed: int = 0) -> Setup:
        """A fresh set-up: same seed, same bits."""
        torch.manual_seed(seed)
        return replace(self.make(seed), seed=seed)


@dataclass(frozen=True)
class Outcome:
    """What came of a run: score, losses, the doctor's findings, and the exception that ended it, if one did."""

    score: float
    losses: list[float]
    val_losses: list[float]
    seconds: float
    findings: list[Any]
    error: str | None = None
    failures: tuple[str, ...] = ()  # of the doctor itself
    overhead: float = 0.0  # the doctor's own account


def casting(setup: Setup) -> AbstractContextManager[Any]:
    """The autocast of the set-up, or nothing."""
    return nullcontext() if setup.autocast is None else torch.autocast("cpu", dtype=setup.autocast)


def make_loader(data: Data | Dataset[Any], *, batch_size: int, seed: int = 0, shuffle: bool = True, **options: Any) -> DataLoader[Any]:
    """A DataLoader over tensors or a data set, with its own generator."""
    dataset = data if isinstance(data, Dataset) else TensorDataset(*data)
    return DataLoader(dataset, batch_size, shuffle=shuffle, generator=torch.Generator().manual_seed(seed), **options)


def with_optimizer(setup: Setup, make_optimizer: Callable[[Any], Any], *, make_scheduler: Callable[[Any], Any] | None = None) -> Setup:
    """Another optimizer (and schedule) over the model's parameters; the schedule stays the same kind where none is given."""
    schedule = make_scheduler or setup.make_scheduler
    optimizer = make_optimizer([p for p in setup.model.parameters() if p.requires_grad])
    return replace(
        setup,
        optimizer=optimizer,
        scheduler=None if schedule is None else schedule(optimizer),
        make_optimizer=make_optimizer,
        make_scheduler=schedule,
    )


def with_model(setup: Setup, model: nn.Module, **changes: Any) -> Setup:
    """Another model, with the set-up's optimizer and schedule built anew over it."""
    assert setup.make_optimizer is not None
    return with_optimizer(replace(setup, model=model, **changes), setup.make_optimizer)


def with_data(setup: Setup, *, train: Data | None = None, val: Data | None = None, test: Data | None = None, **options: Any) -> Setup:
    """Other data in new loaders of the same batch size. options go to the training DataLoader (shuffle=, batch_size=, drop_last=)."""
    train, val, test = train or setup.train_data, val or setup.val_data, test or setup.test_data
    size = options.pop("batch_size", setup.loader.batch_size)
    options.setdefault("drop_last", len(train[0]) % size == 1)  # batch norm refuses a last row alone
    return replace(
        setup,
        train_data=train,
        val_data=val,
        test_data=test,
        loader=make_loader(train, batch_size=size, seed=setup.seed, **options),
        val_loader=make_loader(val, batch_size=setup.val_loader.batch_size or size, shuffle=False),
    )


def train(setup: Setup) -> None:
    """The plain user loop: epochs, steps, the schedule, a validation pass now and then."""
    setup.model.train()
    index, epoch, validated = 0, 0, 0
    while index < setup.steps:
        setup.new_epoch(setup, epoch)
        for batch in setup.batches(setup):
            setup.losses.append(setup.step(setup, batch, index).item())
            index += 1
            if index >= setup.steps:
                break
        if setup.scheduler is not None and setup.schedule_per == "epoch":
            setup.scheduler.step()
        if index - validated >= setup.validate_every:
            setup.validate(setup)
            validated = index
        epoch += 1


def run(setup: Setup, doctor: bool = False) -> Outcome:
    """Train (under leadline.watch if asked) and score. An exception ends the training, as it would the user's, and is kept as words."""
    torch.manual_seed(setup.seed)
    error: str | None = None
    findings: list[Any] = []
    start = time.perf_counter()
    watching: Any = nullcontext() if not doctor else watched(setup)
    try:
        with watching:
            train(setup)
    except Exception as problem:  # noqa: BLE001 whatever a sick program raises is part of its outcome
        error = f"{type(problem).__name__}: {problem}"
    seconds = time.perf_counter() - start
    if not doctor:
        return Outcome(setup.score(setup), setup.losses, setup.val_losses, seconds, findings, error)
    failures = tuple(str(failure) for failure in watching.heard.failures)
    findings = list(watching.findings)
    return Outcome(setup.score(setup), setup.losses, setup.val_losses, seconds, findings, error, failures, watching.overhead)


def watched(setup: Setup) -> Any:
    """leadline.watch around the loop, given what a user would give it."""
    import leadline

    return leadline.watch(setup.model, setup.optimizer, loss_fn=setup.loss_fn, loader=setup.loader, quiet=True)


def has_own_step(setup: Setup) -> bool:
    """Whether `loss_fn(model(x), y)` is not what this program does, so that its user would hand their step to check."""
    return (setup.forward, setup.objective, setup.step) != (plain_forward, plain_objective, plain_step) or setup.autocast is not None


def user_step(setup: Setup) -> Callable[[nn.Module, Any, Any, Data], Tensor]:
    """The program's step in check's signature: one call is one optimizer step, on whatever model and optimizer check hands in."""

    scaler, teacher, state = copy.deepcopy(setup.scaler), copy.deepcopy(setup.teacher), dict(setup.state)

    def step(model: nn.Module, loss_fn: Any, optimizer: Any, batch: Data) -> Tensor:
        mine = replace(setup, model=model, loss_fn=loss_fn, optimizer=optimizer, scheduler=None, scaler=scaler, teacher=teacher)
        mine.state = state
        losses = [mine.step(mine, batch, index) for index in range(mine.accumulate)]
        return torch.stack(losses).mean()

    return step


def preflight(setup: Setup) -> list[Any]:
    """What leadline.check finds before the first step."""
    import leadline

    step = user_step(setup) if has_own_step(setup) else None
    report = leadline.check(setup.model, setup.loss_fn, setup.optimizer, setup.loader, val_loader=setup.val_loader, step=step)
    return list(report.findings)
