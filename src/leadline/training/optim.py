"""The optimizers of a run as one object: it steps, takes the learning rate, and gives its state by parameter name, without pickle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from leadline.base.errors import InputError
from leadline.doctor.ears import tell
from leadline.models import adapt
from leadline.training.fused import Fused
from leadline.training.settings import OptimizerSpec

FUSED = {"sgd", "adagrad", "adam", "adamw"}  # one kernel for all parameters: on a small net a third of the time, also on CPUs
FUSED_DEVICES = {"cpu", "cuda"}


@dataclass(frozen=True)
class Group:
    """Parameters that are treated alike. scale: their learning rate as a multiple of the run's; decay: their weight decay."""

    algorithm: str
    scale: float
    decay: float
    names: tuple[str, ...]


class Optimizers:
    """All optimizers of one part of a model, stepped together. Frozen parameters are in it and wait: without a gradient nothing moves."""

    def __init__(self, optimizers: Sequence[torch.optim.Optimizer], parameters: dict[str, nn.Parameter], *, fused: bool) -> None:
        """optimizers: their groups carry "names" (tuple) and "scale" beside what torch wants. fused: whether every one of them is."""
        self.optimizers = tuple(optimizers)
        self.parameters = parameters
        self.fused = fused
        self._steps = tuple(Fused(optimizer) for optimizer in self.optimizers)
        self.names: dict[torch.Tensor, str] = {parameter: name for name, parameter in parameters.items()}

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """All groups of all optimizers; the very dicts that torch reads."""
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def set_lr(self, lr: float) -> None:
        """Give each group its share of the run's learning rate."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = lr * group["scale"]

    def step(self, skip: torch.Tensor | None = None) -> None:
        """One step of all. skip: scalar on the device; where it is 1 nothing moves, decided without waiting (fused optimizers only)."""
        if skip is None:
            for fused in self._steps:
                fused.step()
            return
        for optimizer in self.optimizers:
            _prime_momentum(optimizer)
            optimizer.found_inf = skip  # type: ignore[attr-defined]  # torch's own protocol for a step decided on the device
            optimizer.step()
            del optimizer.found_inf  # type: ignore[attr-defined]

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters.values():
            parameter.grad = None
        for optimizer in self.optimizers:
            tell("on_zero_grad", optimizer)

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """(tensors, JSON): tensors under "PARAMETER/KIND", such as "0.weight/exp_avg"; what is no tensor goes under such keys in JSON."""
        tensors: dict[str, torch.Tensor] = {}
        numbers: dict[str, Any] = {}
        for parameter, kind, value in self._states():
            key = f"{self.names[parameter]}/{kind}"
            if isinstance(value, torch.Tensor):
                tensors[key] = value.detach()
            elif value is not None:
                numbers[key] = value
        return tensors, numbers

    def load(self, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None:
        """Go on bit for bit where `state` was taken, with the same model and settings."""
        entries: dict[str, dict[str, Any]] = {name: {} for name in self.parameters}
        for key, value in {**tensors, **numbers}.items():
            name, kind = key.rsplit("/", 1)
            entries[name][kind] = value
        for optimizer in self.optimizers:
            fused = bool(optimizer.defaults.get("fused"))
            for parameter in (each for group in optimizer.param_groups for each in group["params"]):
                stored = entries[self.names[parameter]]
                optimizer.state[parameter] = {kind: _placed(kind, value, parameter, fused=fused) for kind, value in stored.items()}
        self._forget_lists()

    def match_layout(self) -> None:
        """Give states their parameters' memory layout, after that has changed: fused kernels pair them by address."""
        states = {parameter: entries for optimizer in self.optimizers for parameter, entries in optimizer.state.items()}
        for parameter, kind, value in list(self._states()):
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape and value.stride() != parameter.stride():
                states[parameter][kind] = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)
        self._forget_lists()

    def table(self) -> str:
        """The parameter groups as text, one line each."""
        lines = [f"{'optimizer':<10} {'lr x':>8} {'decay':>8} {'tensors':>8} {'parameters':>12}  first"]
        for group in self.param_groups:
            count = sum(parameter.numel() for parameter in group["params"])
            row = f"{group['algorithm']:<10} {group['scale']:>8.4g} {group['weight_decay']:>8.4g} {len(group['params']):>8,} {count:>12,}"
            lines.append(f"{row}  {group['names'][0]}")
        return "\n".join(lines)

    def _forget_lists(self) -> None:
        for fused in self._steps:
            fused.forget()

    def _states(self) -> Iterator[tuple[torch.Tensor, str, Any]]:
        """Each (parameter, kind, value) that an optimizer keeps."""
        for optimizer in self.optimizers:
            for parameter, entries in optimizer.state.items():
                yield from ((parameter, kind, value) for kind, value in entries.items())


def build_optimizers(model: nn.Module, settings: OptimizerSpec, *, device: torch.device, prefix: str = "") -> Optimizers:
    """The optimizers that resolved `settings` (no "auto") ask for, on the device of `model`.

    Weight decay skips norms and biases. muon takes hidden matrices, AdamW the rest. prefix: "generator.", where `model` is that part of a
    larger one and its parameters are to have the larger one's names.
    Raises InputError LL022 when muon finds no hidden matrix, LL030 for nesterov without momentum.
    """
    if settings.name == "sgd" and settings.nesterov and settings.momentum == 0:
        raise InputError(
            "LL030",
            "train.optimizer.nesterov = true and train.optimizer.momentum = 0: the look-ahead goes along the momentum",
            where="recipe, train.optimizer",
            help="set  train.optimizer.momentum=0.9, or leave nesterov out",
        )
    parameters = {prefix + name: parameter for name, parameter in model.named_parameters()}
    groups = _groups(model, settings, prefix)
    algorithms = list(dict.fromkeys(group.algorithm for group in groups))
    fused = device.type in FUSED_DEVICES and all(name in FUSED for name in algorithms)
    built = [_build(name, _torch_groups(name, groups, parameters), settings, device) for name in algorithms]
    optimizers = Optimizers(built, parameters, fused=fused)
    optimizers.set_lr(_resolved(settings.lr))
    return optimizers


def _groups(model: nn.Module, settings: OptimizerSpec, prefix: str) -> list[Group]:
    names = [name for name, _ in model.named_parameters()]
    decayed = adapt.decays(model)
    # Depths are asked for only where they matter, so that a module without stages can be trained as well.
    scales = dict.fromkeys(names, 1.0) if settings.depth_decay == 1 else adapt.depth_scales(model, settings.depth_decay)
    matrices = _muon_matrices(model) if settings.name == "muon" else set()
    sorted_out: dict[tuple[str, float, float], list[str]] = {}
    for name in names:
        algorithm = settings.name if settings.name != "muon" or name in matrices else "adamw"
        decay = _resolved(settings.weight_decay) if name in decayed else 0.0
        sorted_out.setdefault((algorithm, scales[name], decay), []).append(prefix + name)
    return [Group(*key, names=tuple(found)) for key, found in sorted_out.items()]


def _muon_matrices(model: nn.Module) -> set[str]:
    matrices = adapt.hidden_matrices(model)
    if not matrices:
        raise InputError(
            "LL022",
            "train.optimizer.name = 'muon': the model has no hidden matrix for it (only an input layer, a head, or convolutions)",
            where="recipe, train.optimizer",
            help="use  train.optimizer.name=adamw",
        )
    return matrices


def _torch_groups(algorithm: str, groups: list[Group], parameters: dict[str, nn.Parameter]) -> list[dict[str, Any]]:
    return [
        {
            "params": [parameters[name] for name in group.names],
            "weight_decay": group.decay,
            "scale": group.scale,
            "names": group.names,
            "algorithm": algorithm,
        }
        for group in groups
        if group.algorithm == algorithm
    ]


def _build(name: str, groups: list[dict[str, Any]], settings: OptimizerSpec, device: torch.device) -> torch.optim.Optimizer:
    lr, fused = _resolved(settings.lr), device.type in FUSED_DEVICES
    if name == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=settings.momentum, nesterov=settings.nesterov, fused=fused)
    if name == "adagrad":
        return torch.optim.Adagrad(groups, lr=lr, eps=settings.eps, fused=fused)
    if name == "rmsprop":
        return torch.optim.RMSprop(groups, lr=lr, momentum=settings.momentum, eps=settings.eps)
    if name == "adam":
        return torch.optim.Adam(groups, lr=lr, betas=settings.betas, eps=settings.eps, fused=fused)
    if name == "adamw":
        return torch.optim.AdamW(groups, lr=lr, betas=settings.betas, eps=settings.eps, fused=fused)
    if name == "muon":
        # match_rms_adamw: updates of AdamW's size, so that one learning rate and one schedule serve both optimizers (Liu et al. 2025).
        return torch.optim.Muon(groups, lr=lr, momentum=settings.momentum, nesterov=settings.nesterov, adjust_lr_fn="match_rms_adamw")
    raise AssertionError(f"optimizer '{name}' was not resolved before training")


def _prime_momentum(optimizer: torch.optim.Optimizer) -> None:
    """Start fused SGD's momentum at zero: the same first step, but one that the device leaves out leaves no unset memory behind."""
    if not isinstance(optimizer, torch.optim.SGD) or optimizer.defaults["momentum"] == 0:
        return
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None and "momentum_buffer" not in optimizer.state[parameter]:
                optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)


def _placed(kind: str, value: Any, parameter: nn.Parameter, *, fused: bool) -> Any:
    """A stored state where and how the optimizer would have made it: on the parameter's device, in its memory layout."""
    if not isinstance(value, torch.Tensor):
        return value
    if kind == "step":  # counted on the host unless a fused kernel reads it
        return value.to(parameter.device if fused else "cpu", copy=True)
    return torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)


def _resolved(value: float | str) -> float:
    if isinstance(value, str):
        raise AssertionError("an automatic optimizer setting was not resolved before training")
    return value
