"""Faults of the inputs and of continuous targets: D01, D02, D09, D11, D12."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.faults.fault import Fault, need
from zoo.faults.rows import generator, on_inputs, on_targets
from zoo.program import Setup

FLOATS = ("mlp", "cnn_bn", "resnet", "vit", "rnn", "unet", "autoencoder", "diffusion", "gcn")
PREDICT = ("mlp", "cnn_bn", "resnet", "vit", "rnn", "unet", "autoencoder", "gcn")  # a denoiser of constants has it easier
PIXELS = ("cnn_bn", "resnet", "vit", "unet", "autoencoder")


def raw_pixels(setup: Setup) -> Setup:
    """Bytes 0..255 as they come from the file."""
    x = setup.train_data[0]
    low, high = x.min(), x.max()
    return on_inputs(setup, lambda v: (v - low) / (high - low) * 255)


def mixed_units(setup: Setup) -> Setup:
    """One feature in grams where the others are in units: times 10,000."""

    def change(x: Tensor) -> Tensor:
        x = x.clone()
        x[..., 0] *= 1e4
        return x

    return on_inputs(setup, change)


def far_from_zero(setup: Setup) -> Setup:
    """Inputs about 1,000 (years, kelvin, ids): the differences are lost in the offset."""
    return on_inputs(setup, lambda x: x + 1000)


def target_units(setup: Setup) -> Setup:
    """Prices in cents: targets of deviation 10,000."""
    need(setup.task == "regress", "a regression")
    return on_targets(setup, lambda y: y * 1e4, parts=("train", "val", "test"))


def target_offset(setup: Setup) -> Setup:
    """Targets about 2,000 (years) with deviation 1."""
    need(setup.task == "regress", "a regression")
    return on_targets(setup, lambda y: y + 2000, parts=("train", "val", "test"))


def nan_cells(setup: Setup) -> Setup:
    """Missing values: one cell in a thousand is NaN."""
    source = generator()
    return on_inputs(
        setup, lambda x: torch.where(torch.rand(x.shape, generator=source) < 1e-3, x.new_tensor(torch.nan), x), parts=("train", "val")
    )


def divided_by_zero_deviation(setup: Setup) -> Setup:
    """Standardised by the features' deviation, which is 0 for those that never change: 0 / 0."""
    x = setup.train_data[0]
    mean, deviation = x.mean(0), x.std(0)
    need(bool((deviation == 0).any()), "a feature that never changes")
    return on_inputs(setup, lambda v: (v - mean) / deviation)


def log_of_zero(setup: Setup) -> Setup:
    """log(x) of counts that hold zeros: -inf."""
    low = setup.train_data[0].amin()
    return on_inputs(setup, lambda x: (x - low).log().clamp(max=10), parts=("train", "val"))


def integer_division(setup: Setup) -> Setup:
    """bytes // 255: all pictures are zero."""
    high = setup.train_data[0].max()
    return on_inputs(setup, lambda x: (x >= high * 1.001).to(x.dtype))


def val_not_standardised(setup: Setup) -> Setup:
    """Training rows standardised, the others as bytes."""
    return on_inputs(setup, lambda x: (x + 1) * 127.5, parts=("val", "test"))


def inverted_in_training(setup: Setup) -> Setup:
    """White on black for training, black on white afterwards."""
    return on_inputs(setup, lambda x: -x, parts=("val", "test"))


def erased(setup: Setup) -> Setup:
    """An erasing augmentation with the probability and the size mixed up: nine tenths of each picture are blank."""
    source = generator()
    return on_inputs(setup, lambda x: x * (torch.rand(x.shape, generator=source) < 0.1), parts=("train",))


def axes_mixed(setup: Setup) -> Setup:
    """The augmentation turns each training picture by a random quarter, for which orientation is the class."""
    turns = torch.randint(0, 4, (len(setup.train_data[0]),), generator=generator())
    return on_inputs(
        setup, lambda x: torch.stack([torch.rot90(v, int(k), (-2, -1)) for v, k in zip(x, turns, strict=True)]), parts=("train",)
    )


def divided_twice(setup: Setup) -> Setup:
    """ToTensor already divides by 255, and the script divides again: pictures in 0..0.004."""
    x = setup.train_data[0]
    low, high = x.min(), x.max()
    return on_inputs(setup, lambda v: (v - low) / (high - low) / 255)


def standardised_twice(setup: Setup) -> Setup:
    """Standardised rows are standardised again with the bytes' mean and deviation: -2 with a deviation of 0.01."""
    return on_inputs(setup, lambda x: (x - 127.5) / 60)


FAULTS = (
    Fault("D01", "raw_pixels", raw_pixels, FLOATS[:-1]),
    Fault("D01", "mixed_units", mixed_units, ("mlp", "rnn", "gcn", "diffusion")),
    Fault("D01", "offset_1000", far_from_zero, FLOATS),
    Fault("D02", "deviation_10000", target_units, ("mlp", "rnn")),
    Fault("D02", "offset_2000", target_offset, ("mlp", "rnn")),
    Fault("D09", "nan_cells", nan_cells, FLOATS, alike=("N01",)),
    Fault("D09", "zero_deviation", divided_by_zero_deviation, ("mlp", "cnn_bn", "vit", "autoencoder", "rnn", "diffusion"), alike=("N01",)),
    Fault("D09", "log_of_zero", log_of_zero, ("mlp", *PIXELS, "diffusion"), alike=("N01",)),
    Fault("D09", "all_constant", integer_division, ("mlp", *PIXELS, "rnn")),
    Fault("D11", "val_not_standardised", val_not_standardised, ("mlp", *PIXELS)),
    Fault("D11", "inverted_in_training", inverted_in_training, ("mlp", "cnn_bn", "resnet", "vit", "unet")),
    Fault("D11", "erased", erased, ("cnn_bn", "resnet", "vit", "unet"), stage="M"),
    Fault("D11", "turned", axes_mixed, ("cnn_bn", "resnet", "vit"), stage="M"),
    Fault("D12", "divided_twice", divided_twice, PREDICT),
    Fault("D12", "standardised_twice", standardised_twice, PREDICT),
)
