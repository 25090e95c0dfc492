"""Faults of numbers: N01 to N06."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from zoo.faults.fault import ALL, CLASSIFY, Fault, need
from zoo.faults.optimizer import altered
from zoo.faults.rows import on_inputs
from zoo.faults.surgery import Apply, before_head, class_axis
from zoo.program import Data, Setup, with_model

HALF = tuple(family for family in ALL if family not in ("rnn",))  # recurrent layers have no half precision on a CPU


class LogOfRelu(nn.Module):
    """Cross-entropy by hand on relu(logits): log 0 as soon as the right class's score is negative."""

    def forward(self, logits: Tensor, y: Tensor) -> Tensor:
        """The mean over rows."""
        share = logits.relu() / logits.relu().sum(1, keepdim=True)
        return -share.gather(1, y[:, None]).log().mean()


def log_of_relu(setup: Setup) -> Setup:
    """log(relu(x)) in the loss."""
    need(isinstance(setup.loss_fn, nn.CrossEntropyLoss) and setup.task in ("classify", "segment"), "classes")
    return replace(setup, loss_fn=LogOfRelu())


def deviation_of_dead_columns(x: Tensor) -> Tensor:
    """Standardise by the batch's deviation, without eps."""
    x = x.relu() if x.dim() == 2 else x
    return (x - x.mean(0)) / x.std(0)


def divided_by_deviation(setup: Setup) -> Setup:
    """A hand-written norm before the head divides by a deviation that is 0 for some units (no eps)."""

    def dead_and_normed(x: Tensor) -> Tensor:
        x = torch.cat([x[..., :-1], x[..., -1:] * 0], -1)
        return deviation_of_dead_columns(x)

    need(class_axis(setup) == -1, "a linear head")
    return before_head(setup, lambda _: Apply(dead_and_normed))


def root_of_zero(setup: Setup) -> Setup:
    """A distance penalty sqrt(d ** 2): its slope at 0 is infinite, and 0 * inf is NaN."""
    plain = setup.objective

    def objective(s: Setup, output: Any, batch: Data) -> Tensor:
        first = output[0] if isinstance(output, tuple) else output
        pairs = first.flatten(1)
        distance = (pairs[:, None] - pairs[None]).pow(2).sum(-1).sqrt()  # a row's distance to itself is 0
        return plain(s, output, batch) + 1e-3 * distance.mean()

    need(setup.task not in ("segment", "tokens", "nodes"), "rows small enough for pairs")
    return replace(setup, objective=objective)


class NaiveSoftmax(nn.Module):
    """exp(z) / sum exp(z) and its log, without the maximum taken off: inf / inf above 88."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, logits: Tensor, y: Tensor) -> Tensor:
        """The mean cross-entropy."""
        powers = (self.scale * logits).exp()
        return -(powers.gather(1, y[:, None]) / powers.sum(1, keepdim=True)).log().mean()


def naive_softmax(setup: Setup) -> Setup:
    """A softmax by hand with a sharp temperature: exp overflows as the logits grow."""
    need(isinstance(setup.loss_fn, nn.CrossEntropyLoss) and setup.task in ("classify", "segment"), "classes")
    return replace(setup, loss_fn=NaiveSoftmax(100.0))


# N02 fp16_underflow


def tiny_loss(setup: Setup, factor: float) -> Setup:
    """The loss times a small weight, in half precision without a scaler."""
    plain = setup.objective

    def objective(s: Setup, output: Any, batch: Data) -> Tensor:
        return plain(s, output, batch) * factor

    return replace(setup, objective=objective, autocast=torch.float16, scaler=None)


def half_without_scaler(setup: Setup) -> Setup:
    """autocast to fp16, a loss weight of 1e-6 (a task's share in a sum), no scaler."""
    return tiny_loss(setup, 1e-6)


def half_with_means(setup: Setup) -> Setup:
    """fp16, and the mean loss is divided by the number of rows and outputs again (1e-7)."""
    return tiny_loss(setup, 1e-7)


# N03 scaler_collapse


def scaled(setup: Setup, objective: Callable[[Setup, Any, Data], Tensor]) -> Setup:
    """Half precision with a scaler, and this objective."""
    need(setup.accumulate == 1 and not isinstance(setup.optimizer, list), "an ordinary loop")
    return replace(setup, autocast=torch.float16, scaler=torch.amp.GradScaler("cpu"), objective=objective)


def scaler_overflows(setup: Setup) -> Setup:
    """A penalty computed in half precision overflows in every step: all are skipped, the scale goes to 0."""
    plain = setup.objective

    def objective(s: Setup, output: Any, batch: Data) -> Tensor:
        first = (output[0] if isinstance(output, tuple) else output).half()
        return plain(s, output, batch) + 0.0 * ((first + 300) * 300).pow(2).float().mean()

    return scaled(setup, objective)


def rows_overflow(setup: Setup) -> Setup:
    """Outlier rows of 1e6 in one of eight batches overflow in half precision."""
    need(setup.family in ("mlp", "cnn_bn", "vit", "unet", "autoencoder"), "float inputs in half precision")

    def outliers(x: Tensor) -> Tensor:
        x = x.clone()
        x[::20] *= 1e6
        return x

    changed = on_inputs(setup, outliers, parts=("train",))
    return scaled(changed, changed.objective)


# N04 updates_swallowed


class Cast(nn.Module):
    """A model in bfloat16 whose float inputs and outputs are cast at the door."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model.bfloat16()

    def forward(self, *inputs: Tensor) -> Any:
        """The output in float32."""
        output = self.model(*(x.bfloat16() if x.is_floating_point() else x for x in inputs))
        return tuple(part.float() for part in output) if isinstance(output, tuple) else output.float()


def pure_bfloat16(factor: float) -> Callable[[Setup], Setup]:
    """model.bfloat16() and a fine learning rate: most updates are below half a unit in the last place."""

    def plant(setup: Setup) -> Setup:
        changed = with_model(setup, Cast(setup.model), head="model." + setup.head)
        return altered(changed, lambda group: group.update(lr=group["lr"] * factor))

    return plant


# N05 softmax_overflow


class OwnAttention(nn.Module):
    """Self-attention by hand before the head, in half precision: scores without the root of the width, a mask of -1e9."""

    def __init__(self, width: int, scale: float) -> None:
        super().__init__()
        self.q, self.k = nn.Linear(width, width), nn.Linear(width, width)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """x plus the mixed rows (of the second last axis)."""
        rows = x if x.dim() == 3 else x[:, None]
        scores = (self.q(rows) @ self.k(rows).transpose(1, 2)).half() * self.scale
        weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
        return x + (weights.to(rows.dtype) @ rows).view_as(x)


def scores_overflow(setup: Setup) -> Setup:
    """Scores times 1,000 in half precision: exp gives inf, inf / inf gives NaN."""
    need(class_axis(setup) == -1 and setup.family != "gcn", "a linear head")
    return before_head(setup, lambda width: OwnAttention(width, 1000.0))


def loud_scores(setup: Setup) -> Setup:
    """The temperature multiplies instead of dividing: scores of thousands go into the model's own softmax in half precision."""
    with torch.no_grad():
        found = 0
        for name, weight in setup.model.named_parameters():
            if name.endswith(("in_proj_weight", "qkv.weight")):
                weight[: 2 * weight.shape[1]] *= 1e3
                found += 1
    need(found > 0, "attention")
    return replace(setup, autocast=torch.float16)


# N06 silent_kernel


class QuietSteps(torch.optim.Adam):
    """An optimizer whose kernel works on a contiguous copy of the weights and forgets to write it back."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Adam on copies."""
        kept = [(p, p.data) for group in self.param_groups for p in group["params"] if self.is_quiet(p)]
        for p, data in kept:
            p.data = data.clone(memory_format=torch.contiguous_format)
        super().step(closure)
        for p, data in kept:
            p.data = data

    def is_quiet(self, parameter: Tensor) -> bool:
        """Whether the broken kernel is taken."""
        return True


class QuietWhereStrided(QuietSteps):
    """The same, for weights that are not contiguous (the addcmul bug of the Metal backend, 2024)."""

    def is_quiet(self, parameter: Tensor) -> bool:
        """Whether the weight is strided."""
        return not parameter.is_contiguous()


def quiet_optimizer(setup: Setup) -> Setup:
    """No weight is written."""
    rate = setup.optimizer.param_groups[0]["lr"]
    return replace(
        setup, optimizer=QuietSteps([p for p in setup.model.parameters() if p.requires_grad], lr=rate), scheduler=None, make_scheduler=None
    )


def quiet_where_strided(setup: Setup) -> Setup:
    """Matrices that were initialised as the transpose of others are never written."""
    with torch.no_grad():
        for parameter in setup.model.parameters():
            if parameter.dim() == 2 and parameter.requires_grad:
                parameter.data = parameter.data.T.contiguous().T
    rate = setup.optimizer.param_groups[0]["lr"]
    optimizer = QuietWhereStrided([p for p in setup.model.parameters() if p.requires_grad], lr=rate)
    return replace(setup, optimizer=optimizer, scheduler=None, make_scheduler=None)


STILL = "gradient and rate are there, and the weight does not move"
NAN = "a value is not finite"
LINEAR = ("mlp", "rnn", "encoder", "vit", "gpt", "lora", "gcn", "autoencoder", "vae", "diffusion")
FAULTS = (
    Fault("N01", "log_of_relu", log_of_relu, CLASSIFY, invariant=NAN, stage="L"),
    Fault("N01", "no_eps", divided_by_deviation, LINEAR, invariant=NAN, stage="L"),
    Fault("N01", "root_of_zero", root_of_zero, ("mlp", "cnn_bn", "resnet", "vit", "rnn", "encoder", "lora"), invariant=NAN, stage="L"),
    Fault("N01", "naive_softmax", naive_softmax, CLASSIFY, alike=("N05",), stage="L"),
    Fault("N02", "weight_1e-6", half_without_scaler, HALF, stage="L"),
    Fault("N02", "mean_twice", half_with_means, HALF, alike=("L06",), stage="L"),
    Fault("N03", "penalty_overflows", scaler_overflows, HALF, stage="L"),
    Fault("N03", "outlier_rows", rows_overflow, HALF, alike=("D01",), stage="L"),
    Fault("N04", "bf16_adam_tenth", pure_bfloat16(0.1), HALF, base={"optimizer": "adam"}, alike=("O02",), stage="L"),
    Fault("N04", "bf16_sgd_hundredth", pure_bfloat16(0.01), HALF, base={"optimizer": "sgd"}, alike=("O02",), stage="L"),
    Fault("N05", "exp_by_hand", scores_overflow, LINEAR, invariant=NAN, alike=("N01",), stage="L"),
    Fault("N05", "scores_x1e6", loud_scores, ("encoder", "vit", "gpt"), alike=("M17",), stage="L"),
    Fault("N06", "never_written", quiet_optimizer, ALL, base={"optimizer": "adam"}, invariant=STILL, alike=("T02",), stage="L"),
    Fault("N06", "strided_not_written", quiet_where_strided, ALL, base={"optimizer": "adam"}, invariant=STILL, stage="L"),
)
