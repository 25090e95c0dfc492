"""Traits that look like faults and are none: what sound programs do that alarms naive monitors. Each changes a Setup."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from zoo.program import Setup, plain_forward, plain_objective
from zoo.traits import loops, losses, nets, rows

CLASSIFIERS = ("mlp", "cnn_bn", "resnet", "rnn", "encoder", "vit")
PICTURES = ("cnn_bn", "resnet", "vit")
OTHERS = ("lora", "gpt", "autoencoder", "vae", "gcn", "unet", "diffusion")
EVERYTHING = (*CLASSIFIERS, *OTHERS)


def always(setup: Setup) -> bool:
    """Every set-up."""
    return True


def classifies(setup: Setup) -> bool:
    """Classes, asked for by cross-entropy."""
    return setup.task == "classify"


def regresses(setup: Setup) -> bool:
    """Numbers."""
    return setup.task == "regress"


def binary(setup: Setup) -> bool:
    """One logit."""
    return setup.task == "binary"


def enough(setup: Setup) -> bool:
    """Classes, and rows enough to lose some."""
    return classifies(setup) and len(setup.train_data[0]) >= 800


def plain_loss(setup: Setup) -> bool:
    """loss_fn(model(x), y), and a loss that takes reduction."""
    return isinstance(setup.loss_fn, (nn.CrossEntropyLoss, nn.MSELoss))


def small(setup: Setup) -> bool:
    """A set that fits into one batch without pain."""
    return len(setup.train_data[0]) <= 1100


def no_parts(setup: Setup) -> bool:
    """A net without dropout or batch norm: train and eval are the same."""
    return not any(isinstance(m, (nn.Dropout, nn.BatchNorm1d, nn.BatchNorm2d)) and getattr(m, "p", 1) > 0 for m in setup.model.modules())


def batch_norms(setup: Setup) -> bool:
    """A net with batch norms."""
    return any(isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)) for m in setup.model.modules())


def is_squared(setup: Setup) -> bool:
    """The mean squared error."""
    return isinstance(setup.loss_fn, nn.MSELoss)


def usual_objective(setup: Setup) -> bool:
    """loss_fn(model(x), y)."""
    return setup.forward is plain_forward and setup.objective is plain_objective


@dataclass(frozen=True)
class Trait:
    """A change, the families it fits, and which of their set-ups."""

    change: Callable[[Setup], Setup]
    families: tuple[str, ...] = EVERYTHING
    fits: Callable[[Setup], bool] = always

    @property
    def name(self) -> str:
        """The function's own name."""
        return self.change.__name__


BATCHED = tuple(family for family in EVERYTHING if family != "gcn")
TRAITS = (
    Trait(loops.accumulation, BATCHED),
    Trait(loops.always_clipped),
    Trait(loops.half_precision, ("mlp", "cnn_bn", "resnet", "vit", "gpt", "autoencoder", "unet")),
    Trait(loops.scaler_skips, ("mlp", "cnn_bn", "autoencoder"), always),
    Trait(loops.average_weights),
    Trait(loops.late_zero),
    Trait(loops.by_model),
    Trait(loops.param_groups),
    Trait(loops.closure_lbfgs, ("mlp",), small),
    Trait(loops.early_epochs, BATCHED),
    Trait(loops.restarts),
    Trait(loops.gradient_noise, ("mlp", "cnn_bn", "rnn", "gpt", "vit")),
    Trait(loops.sharpness_aware, ("mlp", "cnn_bn", "resnet", "vit", "encoder")),
    Trait(rows.label_noise, CLASSIFIERS, enough),
    Trait(rows.noise_floor, ("mlp", "rnn"), regresses),
    Trait(rows.full_batch, ("mlp", "rnn"), small),
    Trait(rows.weighted_rare, ("mlp", "cnn_bn", "rnn"), enough),
    Trait(rows.raw_pixels, PICTURES, usual_objective),
    Trait(rows.own_scaling, ("mlp", "rnn"), regresses),
    Trait(rows.augmented, PICTURES),
    Trait(rows.mixup, ("mlp", *PICTURES), classifies),
    Trait(rows.time_order, BATCHED),
    Trait(rows.sampler_balanced, CLASSIFIERS, classifies),
    Trait(nets.frozen_backbone, ("mlp", "cnn_bn", "resnet", "encoder", "vit"), classifies),
    Trait(nets.frozen_norms, ("cnn_bn", "resnet"), batch_norms),
    Trait(nets.sparse_relu, ("mlp",)),
    Trait(nets.returns_dict, CLASSIFIERS, classifies),
    Trait(nets.own_loss_inside, CLASSIFIERS, classifies),
    Trait(nets.bounded_weights, ("mlp", "cnn_bn", "diffusion")),
    Trait(nets.zero_head, (*CLASSIFIERS, "diffusion", "unet")),
    Trait(nets.eval_without_parts, ("mlp", "autoencoder", "diffusion"), no_parts),
    Trait(losses.label_smoothing, (*CLASSIFIERS, "lora"), classifies),
    Trait(losses.sum_loss, ("mlp", "cnn_bn"), plain_loss),
    Trait(losses.log_softmax_nll, ("mlp",), classifies),
    Trait(losses.sigmoid_bce, ("mlp",), binary),
    Trait(losses.functional_loss, CLASSIFIERS, classifies),
    Trait(losses.own_loss, CLASSIFIERS, classifies),
    Trait(losses.focal, CLASSIFIERS, classifies),
    Trait(losses.margin, ("mlp", "cnn_bn", "rnn"), classifies),
    Trait(losses.robust, ("mlp", "rnn"), regresses),
    Trait(losses.absolute, ("mlp", "autoencoder", "rnn"), is_squared),
    Trait(losses.penalty, ("mlp", "cnn_bn", "resnet"), usual_objective),
)
