"""Faults of the loss: L01 to L10."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.families.gpt import TokenLoss
from zoo.faults.data_labels import kept_share
from zoo.faults.fault import ALL, CLASSIFY, Fault, need
from zoo.faults.rows import on_targets
from zoo.faults.surgery import after_head, class_axis
from zoo.program import Data, Setup, with_model

Objective = Callable[[Setup, Any, Data], Tensor]


def cross_entropy(setup: Setup) -> None:
    """The loss is a cross-entropy on logits."""
    need(isinstance(setup.loss_fn, (nn.CrossEntropyLoss, TokenLoss)), "cross-entropy")


def changed_objective(setup: Setup, change: Callable[[Setup, Any, Data, Tensor], Tensor]) -> Setup:
    """The plain loss, then a change of it."""
    plain = setup.objective

    def objective(s: Setup, output: Any, batch: Data) -> Tensor:
        return change(s, output, batch, plain(s, output, batch))

    return replace(setup, objective=objective)


# L01 double_activation


def softmax_then_cross_entropy(setup: Setup) -> Setup:
    """The model ends in a softmax, the loss holds another."""
    cross_entropy(setup)
    return after_head(setup, nn.Softmax(class_axis(setup)))


def sigmoid_then_cross_entropy(setup: Setup) -> Setup:
    """The model ends in a sigmoid, the loss is cross-entropy on logits."""
    cross_entropy(setup)
    return after_head(setup, nn.Sigmoid())


def sigmoid_twice(setup: Setup) -> Setup:
    """The model ends in a sigmoid, and the loss is BCEWithLogitsLoss."""
    need(isinstance(setup.loss_fn, nn.BCEWithLogitsLoss), "one logit")
    return after_head(setup, nn.Sigmoid())


# L02 wrong_loss


class ClassNumber(nn.Module):
    """The squared error of K outputs against the class's number."""

    def forward(self, output: Tensor, y: Tensor) -> Tensor:
        """The mean over all."""
        return F.mse_loss(output, y.float()[:, None].expand_as(output))


def squared_error_on_numbers(setup: Setup) -> Setup:
    """MSE between the outputs and the class numbers."""
    need(isinstance(setup.loss_fn, nn.CrossEntropyLoss) and setup.task == "classify", "classes")
    return replace(setup, loss_fn=ClassNumber())


def bce_on_numbers(setup: Setup) -> Setup:
    """BCEWithLogitsLoss on class numbers 0..K-1 with one output per row repeated: targets above one."""
    need(isinstance(setup.loss_fn, nn.CrossEntropyLoss) and setup.task == "classify" and setup.num_classes > 2, "classes")
    loss = nn.BCEWithLogitsLoss()
    spread = on_targets(setup, lambda y: y.float()[:, None].expand(-1, setup.num_classes).contiguous())
    return replace(spread, loss_fn=loss)


def cross_entropy_on_number(setup: Setup) -> Setup:
    """Cross-entropy with one output and float targets: log of a softmax over one unit, always zero."""
    need(setup.task in ("regress", "binary"), "one output")
    return replace(setup, loss_fn=nn.CrossEntropyLoss())


# L03 nll_without_log


def nll_of_probabilities(setup: Setup) -> Setup:
    """Softmax and NLLLoss: the loss is minus a probability."""
    need(isinstance(setup.loss_fn, nn.CrossEntropyLoss), "cross-entropy")
    return replace(after_head(setup, nn.Softmax(class_axis(setup))), loss_fn=nn.NLLLoss())


def nll_of_logits(setup: Setup) -> Setup:
    """Logits into NLLLoss: without bound."""
    need(isinstance(setup.loss_fn, nn.CrossEntropyLoss), "cross-entropy")
    return replace(setup, loss_fn=nn.NLLLoss())


# L04 broadcast


def flat_target(setup: Setup) -> Setup:
    """Outputs N x 1, targets N: the error becomes N x N."""
    need(setup.task == "regress", "a regression")
    return on_targets(setup, lambda y: y.flatten())


def flat_output(setup: Setup) -> Setup:
    """The model squeezes its output, the targets stay N x 1."""
    need(setup.task == "regress", "a regression")
    return after_head(setup, nn.Flatten(0))


def flat_output_other_loss(setup: Setup) -> Setup:
    """The same with the smooth L1 loss."""
    return replace(flat_output(setup), loss_fn=nn.SmoothL1Loss())


# L05 sign_flipped


def negated(setup: Setup) -> Setup:
    """-loss."""
    return changed_objective(setup, lambda s, output, batch, loss: -loss)


def maximised(setup: Setup) -> Setup:
    """maximize=True in the optimizer, left from a reward."""
    need(not isinstance(setup.optimizer, list) and "maximize" in setup.optimizer.param_groups[0], "an optimizer that can maximize")
    for group in setup.optimizer.param_groups:
        group["maximize"] = True
    return setup


class Likelihood(nn.Module):
    """The mean log-likelihood, whose minus was forgotten."""

    def forward(self, logits: Tensor, y: Tensor) -> Tensor:
        """The mean over rows."""
        return logits.log_softmax(1).gather(1, y[:, None]).mean()


def minus_forgotten(setup: Setup) -> Setup:
    """One's own cross-entropy without the minus."""
    need(isinstance(setup.loss_fn, nn.CrossEntropyLoss) and setup.task == "classify", "classes")
    return replace(setup, loss_fn=Likelihood())


# L06 wrong_reduction


def summed(setup: Setup) -> Setup:
    """reduction='sum' at the learning rate of the mean."""
    loss = setup.loss_fn
    if isinstance(loss, TokenLoss):
        return replace(setup, loss_fn=TokenLoss(reduction="sum"))
    need(isinstance(loss, (nn.CrossEntropyLoss, nn.MSELoss, nn.BCEWithLogitsLoss)), "a loss of torch")
    return replace(setup, loss_fn=type(loss)(reduction="sum"))  # type: ignore[call-arg]


def divided_by_all(setup: Setup) -> Setup:
    """The mean loss is divided by the number of rows of the whole set."""
    count = len(setup.train_data[0])
    return changed_objective(setup, lambda s, output, batch, loss: loss / count)


def divided_twice(setup: Setup) -> Setup:
    """The mean loss is divided by the batch's size and by the number of outputs again."""
    return changed_objective(setup, lambda s, output, batch, loss: loss / len(batch[0]) / 50)


# L07 output_range


def ended(end: Callable[[], nn.Module]) -> Callable[[Setup], Setup]:
    """A bounded end before targets of mean 0."""

    def plant(setup: Setup) -> Setup:
        need(setup.task in ("regress", "reconstruct", "denoise"), "targets that are numbers")
        return after_head(setup, end())

    return plant


# L08 not_connected


def wrapped_again(setup: Setup) -> Setup:
    """torch.tensor(loss.item(), requires_grad=True): the error message is gone, and so is the graph."""
    return changed_objective(setup, lambda s, output, batch, loss: torch.tensor(loss.item(), requires_grad=True))


def output_wrapped_again(setup: Setup) -> Setup:
    """output.detach().requires_grad_() goes into the loss."""

    def forward(s: Setup, batch: Data) -> Any:
        return plain(s, batch).detach().requires_grad_()

    plain = setup.forward
    need(setup.family not in ("vae", "diffusion"), "one output")
    return replace(setup, forward=forward)


def of_another_model(setup: Setup) -> Setup:
    """The loss is computed from the outputs of the model's untouched copy; only a vanishing penalty reaches the model."""
    assert setup.build_model is not None
    other = setup.build_model()

    def forward(s: Setup, batch: Data) -> Any:
        return plain(replace(s, model=other), batch)

    def penalty(s: Setup, output: Any, batch: Data, loss: Tensor) -> Tensor:
        return loss + 0.0 * sum(p.sum() for p in s.model.parameters() if p.requires_grad)

    plain = setup.forward
    return changed_objective(replace(setup, forward=forward), penalty)


def rounded_output(setup: Setup) -> Setup:
    """The output is rounded before the loss: its slope is zero everywhere."""
    return after_head(setup, Rounded())


class Rounded(nn.Module):
    """Rounds."""

    def forward(self, x: Tensor) -> Tensor:
        """The nearest integers."""
        return x.round()


# L09 class_weights


def weighted(setup: Setup, weights: Callable[[Tensor], Tensor]) -> Setup:
    """Thin half of the classes to an eighth, and weigh classes by a function of their counts."""
    cross_entropy(setup)
    thin = kept_share(setup, dict.fromkeys(range(setup.num_classes // 2), 0.12))
    counts = torch.bincount(thin.train_data[1].flatten(), minlength=setup.num_classes).float()
    weight = weights(counts)
    return replace(thin, loss_fn=nn.CrossEntropyLoss(weight=weight / weight.mean()))


def frequent_first(setup: Setup) -> Setup:
    """Weights in proportion to the counts, squared for good measure: the inverse was forgotten."""
    return weighted(setup, lambda counts: counts**2)


def wrong_order(setup: Setup) -> Setup:
    """Inverse counts in the order of another list of classes."""
    return weighted(setup, lambda counts: (1 / counts.clamp(min=1)).flip(0))


def inverted_on_balanced(setup: Setup) -> Setup:
    """The weights of an earlier set, where half of the classes were a thousand times rarer, on a balanced one."""
    cross_entropy(setup)
    need(setup.task == "classify", "a class a row")
    weight = torch.where(torch.arange(setup.num_classes) < setup.num_classes // 2, 1e-3, 1.0)
    return replace(setup, loss_fn=nn.CrossEntropyLoss(weight=weight))


# L10 auxiliary_dominates


def absolute_weights(setup: Setup) -> Setup:
    """An L1 penalty on all weights, its factor a thousand times too large."""

    def penalised(s: Setup, output: Any, batch: Data, loss: Tensor) -> Tensor:
        return loss + 0.1 * sum(p.abs().sum() for p in s.model.parameters() if p.requires_grad)

    return changed_objective(setup, penalised)


def quiet_outputs(setup: Setup) -> Setup:
    """A penalty on the outputs' squares times 100: they stay at zero."""

    def penalised(s: Setup, output: Any, batch: Data, loss: Tensor) -> Tensor:
        first = output[0] if isinstance(output, tuple) else output
        return loss + 100 * first.pow(2).mean()

    return changed_objective(setup, penalised)


class TwoHeads(nn.Module):
    """The model, and beside it a task of its own that pulls on the same body."""

    def __init__(self, model: nn.Module, size: int, outputs: int) -> None:
        super().__init__()
        self.model = model
        self.auxiliary = nn.Linear(outputs, size)

    def forward(self, x: Tensor) -> Tensor:
        """The main output."""
        return self.model(x)


def reconstruction_too(setup: Setup) -> Setup:
    """An auxiliary reconstruction of the input from the logits, weighted by 1,000."""
    x = setup.train_data[0]
    need(x.is_floating_point() and setup.task == "classify", "classes of float inputs")
    two = TwoHeads(setup.model, x[0].numel(), setup.num_classes)
    changed = with_model(setup, two, head="model." + setup.head)

    def penalised(s: Setup, output: Any, batch: Data, loss: Tensor) -> Tensor:
        return loss + 1000 * F.mse_loss(s.model.get_submodule("auxiliary")(output), batch[0].flatten(1))

    return changed_objective(changed, penalised)


LOGITS = "probabilities go into a loss that wants logits"
CONTRACT = "the loss's contract on its targets is broken"
FAULTS = (
    Fault("L01", "softmax_cross_entropy", softmax_then_cross_entropy, (*CLASSIFY[:-1], "unet", "gpt"), invariant=LOGITS),
    Fault("L01", "sigmoid_cross_entropy", sigmoid_then_cross_entropy, (*CLASSIFY[:-1], "unet", "gpt"), invariant=LOGITS),
    Fault("L01", "sigmoid_twice", sigmoid_twice, ("mlp",), invariant=LOGITS),
    Fault("L02", "squared_error_on_numbers", squared_error_on_numbers, CLASSIFY),
    Fault("L02", "bce_on_numbers", bce_on_numbers, CLASSIFY, invariant=CONTRACT, alike=("D04",)),
    Fault("L02", "cross_entropy_one_output", cross_entropy_on_number, ("mlp", "rnn"), invariant=CONTRACT, alike=("L08",)),
    Fault("L03", "of_probabilities", nll_of_probabilities, (*CLASSIFY[:-1], "unet"), invariant="a likelihood loss is negative"),
    Fault("L03", "of_logits", nll_of_logits, (*CLASSIFY[:-1], "unet"), invariant="a likelihood loss is negative"),
    Fault("L04", "flat_target", flat_target, ("mlp", "rnn"), invariant="output and target broadcast"),
    Fault("L04", "flat_output", flat_output, ("mlp", "rnn"), invariant="output and target broadcast"),
    Fault("L04", "flat_output_smooth_l1", flat_output_other_loss, ("mlp", "rnn"), invariant="output and target broadcast"),
    Fault("L05", "negated", negated, ALL),
    Fault("L05", "maximize", maximised, ALL),
    Fault("L05", "minus_forgotten", minus_forgotten, CLASSIFY),
    Fault("L06", "summed", summed, ALL, base={"optimizer": "momentum"}, alike=("O01",)),
    Fault("L06", "divided_by_all", divided_by_all, ALL, base={"optimizer": "momentum"}, alike=("O02",)),
    Fault("L06", "divided_twice", divided_twice, ALL, base={"optimizer": "sgd"}, alike=("O02",)),
    Fault("L07", "relu", ended(nn.ReLU), ("mlp", "rnn", "autoencoder", "vae", "diffusion")),
    Fault("L07", "sigmoid", ended(nn.Sigmoid), ("mlp", "rnn", "autoencoder", "vae", "diffusion")),
    Fault("L07", "softplus", ended(nn.Softplus), ("mlp", "rnn", "autoencoder", "vae", "diffusion")),
    Fault("L08", "wrapped_again", wrapped_again, ALL, invariant="the loss has no path to the parameters"),
    Fault("L08", "output_wrapped_again", output_wrapped_again, ALL, invariant="the loss has no path to the parameters", alike=("M10",)),
    Fault("L08", "of_another_model", of_another_model, ALL, invariant="the loss has no path to the parameters"),
    Fault("L08", "rounded", rounded_output, ALL, invariant="the loss's gradient is zero everywhere", alike=("M10",)),
    Fault("L09", "frequent_first", frequent_first, CLASSIFY, alike=("D05",)),
    Fault("L09", "wrong_order", wrong_order, CLASSIFY, alike=("D05",)),
    Fault("L09", "of_another_set", inverted_on_balanced, CLASSIFY),
    Fault("L10", "l1_of_weights", absolute_weights, ALL, alike=("M14", "O04"), stage="L"),
    Fault("L10", "squares_of_outputs", quiet_outputs, (*CLASSIFY, "unet", "gpt", "autoencoder", "diffusion"), stage="L"),
    Fault("L10", "reconstruction_x1000", reconstruction_too, ("mlp", "cnn_bn", "resnet", "vit", "rnn"), stage="L"),
)
