"""The listener: turns what the ears hear into steps, moments, validation passes and samples of the data."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from leadline.doctor.gauge import Measuring, is_bad, sampled
from leadline.doctor.lives import PATIENCE, Lives
from leadline.doctor.look import Look, NetworkCall
from leadline.doctor.loss_call import loss_call
from leadline.doctor.moment import EvalPass, Gauge, LossCall, Moment, Sample, Step
from leadline.doctor.tape import Script, finished, flatten
from leadline.doctor.twin import bare, is_lazy, minds_mode, places

SAMPLE_ROWS = 2048  # of the data heard, per loader: enough for label statistics and neighbours
SAMPLE_MB = 64
LOADERS = 6  # whose data is kept, one epoch of each: some loops make a loader anew each epoch
ALWAYS = 8  # first steps whose loss calls are always read
FOREVER = 512  # backward passes after which a step that does not come is no longer written down
MOMENTS = 12  # recorded steps kept: the first three and the latest
EVAL_LOOKS = 3  # validation passes whose first batch is recorded


class Heard:
    """Everything heard of one training. Fields are read by the signals; the methods are the ears' events.

    when_closed: called after each optimizer step with its number. The ears' methods do as little as they can between recorded steps.
    """

    def __init__(self, model: nn.Module, optimizers: list[Optimizer], loss_fn: Any, when_closed: Callable[[int], None]) -> None:
        self.model, self.optimizers, self.loss_fn = model, optimizers, loss_fn
        self.own = {id(optimizer): number for number, optimizer in enumerate(optimizers)}
        self.when_closed = when_closed
        self.steps: list[Step] = []
        self.now = Step(0)
        self.moments: list[Moment] = []
        self.gauges: list[Gauge] = []
        self.evals: list[EvalPass] = []
        self.samples: dict[int, Sample] = {}
        self.train_loader: int | None = None
        self.trained_on: set[int] = set()  # every loader whose batches were trained on: some trainers make one anew, some steps use two
        self._given: dict[int, int] = {}  # batches by loader since the last backward pass
        self.schedulers: dict[int, Any] = {}
        self.schedule_calls: dict[int, list[int]] = {}  # steps done when each scheduler was stepped
        self.strangers: dict[int, dict[str, Any]] = {}  # optimizers not given to watch: id -> what is known
        self.loads: list[tuple[int, str, Any]] = []  # (step, whose state was loaded, result)
        self.stale_grads: list[int] = []  # steps whose first backward pass found the gradients of the step before
        self.outside: list[tuple[int, list[str]]] = []  # (step, parameters that changed between steps)
        self.failures: list[str] = []
        self.loss_failure: LossCall | None = None
        self.scaler: Any = None
        self.skipped_scales: list[tuple[int, float]] = []
        self.backwards_since_step = 0
        self._patience = PATIENCE
        self.look: Look | None = None
        self.loss_calls: list[LossCall] = []  # of the running step
        self.batch: Any = None
        self.batch_loader: int | None = None
        self._began_loader: int | None = None
        self._eval: EvalPass | None = None
        self._eval_look: Look | None = None
        self._left_over: list[Look] = []
        self._measuring: Measuring | None = None
        self._after_step: tuple[list[Tensor], list[Tensor | None]] | None = None
        self._pending: list[LossCall] = []
        self.sleepers = [(path, m) for path, m in bare(model).named_modules() if minds_mode(m)]
        self._read_names()
        self.when_bad: Callable[[str, Any], None] = lambda _what, _tensor: None
        self.when_starved: Callable[[], None] = lambda: None
        self.lives = Lives(self)
        self.lives.begin()
        self.clock = time.perf_counter()

    def _read_names(self) -> None:
        self.named: list[tuple[str, Tensor]] = [
            (n, p) for n, p in bare(self.model).named_parameters() if p.requires_grad and not is_lazy(p)
        ]
        self._small = min((p for _, p in self.named[:4]), key=lambda p: p.numel(), default=None)  # near the input: every NaN arrives here
        self._unfinished = any(is_lazy(p) for p in self.model.parameters())

    # -- recording -------------------------------------------------------------------------------------------------------------------

    def begin_record(self) -> None:
        """Write the coming step down."""
        if self.look is not None or self._eval_look is not None:
            return
        self.look = Look(self.model, places(bare(self.model), self.optimizers), lambda: self.now.events.append("F"), self.lives.averages)
        self.look.begin()

    def _close_record(self) -> tuple[Script, list[NetworkCall]] | None:
        if self.look is None:
            return None
        look, self.look = self.look, None
        self._put_away(look)
        return finished(look.tape), look.calls

    def stop(self) -> None:
        """Nothing of ours stays on torch. A validation pass after the last step ends here."""
        self._settle_pending(trains=False)
        self._close_eval()
        for look in (self.look, self._eval_look):
            if look is not None:
                self._put_away(look)
        self.look = self._eval_look = None
        self._sweep()

    def fetch(self) -> None:
        """Bring losses that wait on a device to the host, in one transfer."""
        waiting = [(step, place) for step in self.steps for place, v in enumerate(step.losses) if isinstance(v, Tensor)]
        if waiting:
            numbers = torch.stack([torch.as_tensor(step.losses[place]).double().reshape(()) for step, place in waiting]).tolist()
            for (step, place), number in zip(waiting, numbers, strict=True):
                step.losses[place] = number

    def _put_away(self, look: Look) -> None:
        if not look.stop():
            self._left_over.append(look)

    def _sweep(self) -> None:
        """Take out tapes that could not be taken out where they ended (inside a torch function)."""
        self._left_over = [look for look in self._left_over if not look.stop()]

    # -- events ----------------------------------------------------------------------------------------------------------------------

    def on_loss_call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        recording = self.look is not None or self._eval_look is not None
        if not recording and self.model.training and torch.is_grad_enabled() and len(self.steps) > ALWAYS:
            self.now.events.append("L")  # between recorded steps the backward pass tells all that is needed
            return
        call = loss_call(name, args, kwargs, result)
        if not call.with_grad:
            self._hear_eval(call)
        elif self.model.training:
            self._train_call(call)
        else:
            self._pending.append(call)  # validation without no_grad, or training in eval mode: the next backward pass tells

    def on_loss_failed(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception) -> None:
        call = loss_call(name, args, kwargs, None)
        self.loss_failure = LossCall(name, call.input, call.target, call.options, None, call.with_grad, f"{type(error).__name__}: {error}")

    def before_backward(self, tensors: Any, gradients: Any) -> None:
        self._settle_pending(trains="L" not in self.now.events)  # this step's own loss was heard: what waits was validation with gradients
        self._close_eval()
        self.train_loader = self.train_loader if self.batch_loader is None else self.batch_loader
        self.trained_on |= {key for key, count in self._given.items() if count == 1 or key == self.batch_loader}
        self._given.clear()
        self.lives.before_backward()
        if self._after_step is not None:
            self._compare_with_last_step()
        if self.look is not None:
            self.look.tape.backward(tensors, gradients)
        for tensor in tensors if isinstance(tensors, (tuple, list)) else (tensors,):
            if isinstance(tensor, Tensor) and tensor.numel() == 1:
                if self.look is not None:
                    self.lives.mark(tensor)
                self._hear_value(tensor)
        self.now.events.append("B")
        self.backwards_since_step += 1
        if self.backwards_since_step >= self._patience:
            self._starved()

    def _starved(self) -> None:
        """Many backward passes and no step: whoever waits for one to ask questions waits in vain."""
        self._patience *= 2
        del self.loss_calls[:-ALWAYS]
        if self.look is not None and self.backwards_since_step >= FOREVER:
            self._put_away(self.look)
            self.look = None
        self.when_starved()

    def _hear_value(self, tensor: Tensor) -> None:
        """A loss: on the host its number costs nothing; on a device it waits there until somebody asks."""
        if tensor.device.type != "cpu":
            self.now.losses.append(tensor.detach())
            return
        value = tensor.item()
        self.now.losses.append(value)
        if not math.isfinite(value):
            self.when_bad("loss", tensor)

    def on_zero_grad(self, owner: Optimizer | nn.Module) -> None:
        if self._left_over:
            self._sweep()
        if id(owner) in self.own or owner is self.model or owner is bare(self.model):
            self.now.events.append("Z")

    def before_step(self, optimizer: Optimizer, has_closure: bool) -> None:
        if id(optimizer) not in self.own and not self.lives.adopted(optimizer):
            return
        if self._left_over:
            self._sweep()
        if self._unfinished:  # lazy layers, made by the first forward pass
            self._read_names()
            self.lives.begin()
        self.lives.before_step(optimizer, self.own[id(optimizer)])
        self.now.lrs = tuple(float(group["lr"]) for group in optimizer.param_groups)
        self.now.root_training = self.model.training
        self.now.sleeping = tuple(path for path, module in self.sleepers if not module.training)
        self.now.partly_awake = not self.model.training and any(module.training for module in self.model.modules())
        if not has_closure:
            self.before_update(optimizer)

    def before_update(self, optimizer: Optimizer) -> None:
        """The gradients are there. A closure may call this several times in one step: the first counts."""
        if id(optimizer) not in self.own or self._measuring is not None:
            return
        if self._small is not None and is_bad(self._small.grad):
            self.when_bad("gradient", None)
        if self.look is not None:
            self._measuring = Measuring(self.named)

    def after_step(self, optimizer: Optimizer) -> None:
        number = self.own.get(id(optimizer))
        if number is None:
            return
        self.now.events.append("S")
        self.now.optimizers.append(number)
        if "B" not in self.now.events and self.steps:  # a second optimizer of the same iteration
            self.steps[-1].optimizers.append(number)
            self.steps[-1].events.append("S")
            self.now.events.clear()
            self.now.optimizers.clear()
            self.lives.closed(optimizer, None)
            return
        self._close(optimizer)

    def on_clip(self, parameters: Any, limit: float, norm: Any) -> None:
        self.now.events.append("C")
        self.now.clip = (float(limit), norm.detach() if isinstance(norm, Tensor) else norm)

    def on_schedule(self, scheduler: Any) -> None:
        if id(scheduler.optimizer) in self.own:
            self.schedulers[id(scheduler)] = scheduler
            self.schedule_calls.setdefault(id(scheduler), []).append(len(self.steps))

    def on_loader(self, loader: Any) -> None:
        self._began_loader = id(loader)
        sample = self.samples.setdefault(id(loader), Sample(loader))
        sample.begun += 1
        if self.trained_on and id(loader) not in self.trained_on:
            self._begin_eval_look()

    def on_batch(self, loader: Any, batch: Any, seconds: float = 0.0) -> None:
        key = id(loader)
        self.now.wait_s += seconds
        self.batch, self.batch_loader = batch, key
        self.now.loader, self.now.fresh_iterator = key, self._began_loader == key
        self._began_loader = None
        sample = self.samples.setdefault(key, Sample(loader))
        sample.batches_given += 1
        self._given[key] = self._given.get(key, 0) + 1
        if sample.rows < SAMPLE_ROWS and (sample.begun <= 1 or not sample.batches) and len(self.samples) <= LOADERS:
            keep(sample, batch)

    def on_mode(self, module: nn.Module, training: bool) -> None:
        if module is not self.model and module is not bare(self.model):
            return
        if not training:
            self._given.clear()
            self._begin_eval_look()

    def on_load(self, owner: Any, result: Any) -> None:
        whose = "optimizer" if id(owner) in self.own else "model" if owner in (self.model, bare(self.model)) else None
        if whose is not None:
            self.loads.append((len(self.steps), whose, result))

    def on_scale(self, scaler: Any, event: str) -> None:
        self.scaler = scaler
        if event == "update":
            self.skipped_scales.append((len(self.steps), float(scaler.get_scale())))

    def failed(self, event: str, error: Exception) -> None:
        if len(self.failures) < 20:
            self.failures.append(f"{event}: {type(error).__name__}: {error}")

    def _train_call(self, call: LossCall) -> None:
        self.now.events.append("L")
        self.loss_calls.append(call)
        if call.value is not None and call.value.numel() == 1:
            self.now.criteria.append(call.value)

    def _settle_pending(self, *, trains: bool) -> None:
        pending, self._pending = self._pending, []
        if trains and pending:
            self._train_call(pending.pop())
        for call in pending:
            self._hear_eval(call)

    def _compare_with_last_step(self) -> None:
        assert self._after_step is not None
        weights, grads = self._after_step
        self._after_step = None
        pairs = [(p.grad, g) for (_, p), g in zip(self.named, grads, strict=True) if g is not None and p.grad is not None]
        kept = [old for grad, old in pairs if torch.equal(sampled(grad), old)]
        if any(bool((grad != 0).any()) for grad in kept):
            self.stale_grads.append(self.now.index)
        changed = [name for (name, p), w in zip(self.named, weights, strict=True) if not torch.equal(sampled(p), w)]
        if changed:
            self.outside.append((self.now.index, changed))

    def _close(self, optimizer: Optimizer) -> None:
        step = self.now
        if self.scaler is not None:
            step.scale = float(self.scaler.get_scale())
        recorded = self._close_record()
        step.recorded = recorded is not None
        if self._measuring is not None:
            self.gauges.append(self._measuring.after(step.index, step.lrs[0] if step.lrs else 0.0))
            self._after_step = ([sampled(p) for _, p in self.named], [None if p.grad is None else sampled(p.grad) for _, p in self.named])
            self._measuring = None
        self.lives.closed(optimizer, self._after_step[0] if self._after_step is not None else None)
        if recorded is not None:
            self._keep_moment(step, _first_pass(recorded[0]) if self._searches(step) else recorded[0], recorded[1])
        self.steps.append(step)
        self.loss_calls = []
        self.backwards_since_step = 0
        self.now = Step(step.index + 1)
        step.seconds = time.perf_counter() - self.clock
        self.when_closed(step.index)
        self.clock = time.perf_counter()

    def _searches(self, step: Step) -> bool:
        """Whether the optimizer asks for gradients several times a step, along a line."""
        return any(isinstance(self.optimizers[number], torch.optim.LBFGS) for number in step.optimizers)

    def _keep_moment(self, step: Step, script: Script, calls: list[NetworkCall]) -> None:
        first = calls[0] if calls else None
        moment = Moment(
            step.index, script, tuple(self.loss_calls), first.inputs if first else (), first.outputs if first else (), self.batch,
            step.clip[0] if step.clip else None, step.scale, tuple(dict.fromkeys(step.optimizers)),
            tuple(v.item() if isinstance(v, Tensor) else v for v in step.losses),
        )  # fmt: skip
        self.moments.append(moment)
        if len(self.moments) > MOMENTS:
            del self.moments[3]

    def _hear_eval(self, call: LossCall) -> None:
        self._given.clear()
        current = self._current_eval()
        if call.value is not None and call.value.numel() == 1:
            current.values.append(call.value)
        if len(current.calls) < 4:
            current.calls.append(call)
        current.rows += call.input.shape[0] if call.input is not None and call.input.ndim else 0
        if self.batch_loader is not None and self.batch_loader not in current.loaders:
            current.loaders.append(self.batch_loader)

    def _current_eval(self) -> EvalPass:
        if self._eval is None:
            self._eval = EvalPass(after_step=len(self.steps))
            self.evals.append(self._eval)
        return self._eval

    def _begin_eval_look(self) -> None:
        if self._eval_look is None and sum(e.script is not None for e in self.evals) < EVAL_LOOKS and self.now.events in ([], ["Z"]):
            if self.look is not None:
                self._put_away(self.look)
                self.look = None
            self._eval_look = Look(self.model, places(bare(self.model), self.optimizers), lambda: None, self.lives.averages)
            self._eval_look.begin()

    def _close_eval(self) -> None:
        if self._eval_look is not None:
            look, self._eval_look = self._eval_look, None
            if self.look is None and look.calls and all(call.with_grad for call in look.calls):  # a loader made anew, for training
                self.look, self._eval = look, None
                return
            self._put_away(look)
            quiet = [call for call in look.calls if not call.with_grad]
            if quiet:
                current = self._current_eval()
                current.training_mode = quiet[0].training
                current.script = Script(tuple(look.tape.entries), None)
        self._eval = None


def keep(sample: Sample, batch: Any) -> None:
    """Add a batch to a sample, by reference: a loader's batches are made anew each time."""
    leaves = [leaf.detach() for leaf in flatten(batch)[0] if isinstance(leaf, Tensor)]
    size = sum(leaf.numel() * leaf.element_size() for leaf in leaves)
    held = sum(leaf.numel() * leaf.element_size() for kept in sample.batches for leaf in kept)
    if not leaves or size + held > SAMPLE_MB * 2**20:
        return
    sample.batches.append(leaves)
    sample.rows += leaves[0].shape[0] if leaves[0].ndim else 1


def _first_pass(script: Script) -> Script:
    """A script up to its first backward pass: one evaluation of a closure."""
    ends = [number for number, entry in enumerate(script.entries) if entry.kind == "backward"]
    return Script(script.entries[: ends[0] + 1], script.problem) if ends else script
