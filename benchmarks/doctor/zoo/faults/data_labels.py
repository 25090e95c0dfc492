"""Faults of the labels: D03, D04, D05, D07, D13, D15."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from zoo.families.gpt import TokenLoss
from zoo.faults.fault import CLASSIFY, Fault, need
from zoo.faults.rows import classes, generator, on_inputs, on_targets, with_rows
from zoo.program import Setup

ROWS = tuple(family for family in CLASSIFY if family != "gcn")
PAIRED = (*CLASSIFY, "unet", "gpt")


def shuffled_apart(setup: Setup) -> Setup:
    """Inputs and targets were shuffled by two different permutations."""
    need(setup.task not in ("reconstruct", "denoise"), "targets of their own")
    source = generator()
    if setup.task == "nodes":
        return on_targets(setup, lambda y: shuffled_known(y, source))
    return on_targets(setup, lambda y: y[torch.randperm(len(y), generator=source)])


def shuffled_known(y: Tensor, source: torch.Generator) -> Tensor:
    """Permute the known classes among the known nodes."""
    known = (y >= 0).nonzero().flatten()
    y = y.clone()
    y[known] = y[known[torch.randperm(len(known), generator=source)]]
    return y


def off_by_one(setup: Setup) -> Setup:
    """A header line was skipped in one file only: each row has its neighbour's target."""
    need(setup.task not in ("reconstruct", "denoise", "nodes"), "targets of their own")
    return on_targets(setup, lambda y: y.roll(1, 0))


def unshifted(setup: Setup) -> Setup:
    """The targets are the inputs themselves, not the next tokens."""
    need(setup.task == "tokens", "a language model")
    data = [(x, x.clone()) for x, _ in (setup.train_data, setup.val_data)]
    return with_rows(setup, train=data[0], val=data[1])


def collapsed(setup: Setup) -> Setup:
    """Labels went through the pictures' / 255 and back to integers: all are class 0."""
    need(setup.task in ("classify", "segment", "nodes"), "classes")
    return on_targets(setup, lambda y: y // 255)


def halved(setup: Setup) -> Setup:
    """Labels divided by two (bytes read as pairs): half of the classes never occur."""
    need(setup.task in ("classify", "nodes") and setup.num_classes > 2, "classes")
    return on_targets(setup, lambda y: y // 2)


def one_based(setup: Setup) -> Setup:
    """Labels count from 1 in the file; the last class has no output."""
    need(setup.task in ("classify", "segment"), "classes")
    return on_targets(setup, lambda y: y + 1)


def numbered_by_appearance(setup: Setup) -> Setup:
    """Each split numbers the classes in the order of their appearance: other numbers in training than afterwards."""
    need(setup.task in ("classify", "nodes") and setup.num_classes > 2, "classes")
    table = torch.arange(setup.num_classes).roll(1)
    return on_targets(setup, lambda y: table[y.clamp(min=0)], parts=("train",))


def real_class_ignored(setup: Setup) -> Setup:
    """ignore_index=0 was copied from a task where 0 is padding; here it is a class."""
    if setup.task == "tokens":
        frequent = int(torch.bincount(setup.train_data[1].flatten()).argmax())
        return replace(setup, loss_fn=TokenLoss(ignore_index=frequent))
    need(setup.task in ("classify", "segment"), "classes")
    return replace(setup, loss_fn=nn.CrossEntropyLoss(ignore_index=0))


def kept_share(setup: Setup, share: dict[int, float]) -> Setup:
    """Keep these shares of the training and validation rows of some classes."""
    counts = torch.bincount(classes(setup), minlength=setup.num_classes)
    need(int(counts.min()) >= 60, "sixty rows a class")

    def thin(data: tuple[Tensor, ...], seed: int) -> tuple[Tensor, ...]:
        y = data[1].flatten().long()
        chance = torch.tensor([share.get(k, 1.0) for k in range(setup.num_classes)])[y]
        keep = torch.rand(len(y), generator=generator(seed)) < chance
        return tuple(t[keep] for t in data)

    return with_rows(setup, train=thin(setup.train_data, 0), val=thin(setup.val_data, 1))


def one_common(setup: Setup) -> Setup:
    """One class is normal, the others are 2 % as frequent."""
    return kept_share(setup, dict.fromkeys(range(1, classes_of(setup)), 0.02))


def half_rare(setup: Setup) -> Setup:
    """Half of the classes are a hundred times rarer than the others."""
    return kept_share(setup, dict.fromkeys(range(classes_of(setup) // 2), 0.01))


def classes_of(setup: Setup) -> int:
    """How many classes."""
    need(setup.num_classes > 1, "classes")
    return setup.num_classes


def target_as_feature(setup: Setup) -> Setup:
    """A column that is written after the outcome (the refund's date): the target with a little noise, unknown at prediction time."""
    x, y = setup.train_data[0], setup.train_data[1]
    need(x.is_floating_point() and x.dim() == 2 and setup.task in ("classify", "binary", "regress"), "a table")
    y0 = y.flatten().float()
    mean, deviation = y0.mean(), y0.std()
    source = generator()

    def leak(x: Tensor, y: Tensor) -> Tensor:
        x = x.clone()
        x[:, 0] = (y.flatten().float() - mean) / deviation * 3 + 0.05 * torch.randn(len(x), generator=source)
        return x

    train, val = ((leak(data[0], data[1]), *data[1:]) for data in (setup.train_data, setup.val_data))
    test = (leak(setup.test_data[0], setup.test_data[1].roll(1, 0)), *setup.test_data[1:])
    return with_rows(setup, train=train, val=val, test=test)


def marked_picture(setup: Setup) -> Setup:
    """The scanner of each class stamps its own mark in the corner; the world's pictures have none."""
    x = setup.train_data[0]
    need(x.is_floating_point() and x.dim() == 4 and setup.task == "classify", "pictures with classes")

    def stamp(data: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x, y = data[0].clone(), data[1]
        x[:, :, 0, 0] = (y.float() - setup.num_classes / 2)[:, None] * 1.5
        x[:, :, -1, -1] = ((y % 2).float() * 8 - 4)[:, None]
        x[:, :, 0, -1] = ((y // 2 % 2).float() * 8 - 4)[:, None]
        x[:, :, -1, 0] = ((y // 4 % 2).float() * 8 - 4)[:, None]
        return x, *data[1:]

    fooled = stamp((setup.test_data[0], setup.test_data[1].roll(1)))[0]
    return with_rows(setup, train=stamp(setup.train_data), val=stamp(setup.val_data), test=(fooled, setup.test_data[1]))


def padded_text(setup: Setup) -> Setup:
    """Rows are padded to the longest, four fifths of them, with token 0, and the loss has no ignore_index."""
    need(setup.task == "tokens", "a language model")

    def pad(data: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        keep = data[0].shape[1] // 5
        rows = [torch.cat([t[:, :keep], torch.zeros_like(t[:, keep:])], 1) for t in data]
        return tuple(rows)

    return with_rows(setup, train=pad(setup.train_data), val=pad(setup.val_data))


def padded_masks(setup: Setup) -> Setup:
    """Pictures are padded to three times their side, and the border counts as class 0."""
    need(setup.task == "segment", "masks")

    def pad(data: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        side = data[0].shape[-1]
        return nn.functional.pad(data[0], (0, 2 * side, 0, 2 * side)), nn.functional.pad(data[1], (0, 2 * side, 0, 2 * side))

    return with_rows(setup, train=pad(setup.train_data), val=pad(setup.val_data))


def noisy_labels(setup: Setup) -> Setup:
    """Three labels of five are random: a crowd that clicks."""
    need(setup.task in ("classify", "nodes") and setup.num_classes > 2, "classes")
    source = generator()

    def flip(y: Tensor) -> Tensor:
        other = torch.randint(0, setup.num_classes, y.shape, generator=source)
        return torch.where(torch.rand(y.shape, generator=source) < 0.6, other, y)

    return on_targets(setup, flip)


def confused_pairs(setup: Setup) -> Setup:
    """Two annotators read the key differently: 45 % of each class carry the next class's label."""
    need(setup.task in ("classify", "nodes") and setup.num_classes > 2, "classes")
    source = generator()
    return on_targets(setup, lambda y: torch.where(torch.rand(y.shape, generator=source) < 0.45, (y + 1) % setup.num_classes, y))


def constant_noise(setup: Setup) -> Setup:
    """Inputs of another file altogether: noise of the right shape."""
    source = generator()
    return on_inputs(setup, lambda x: torch.randn(x.shape, generator=source), parts=("train", "val"))


LEAK = "a feature is a function of the target"
PAD = "positions of padding are targets of the loss"
FAULTS = (
    Fault("D03", "shuffled_apart", shuffled_apart, PAIRED),
    Fault("D03", "off_by_one", off_by_one, (*ROWS, "unet", "gpt")),
    Fault("D03", "wrong_inputs", constant_noise, ("mlp", "cnn_bn", "resnet", "vit", "rnn", "unet")),
    Fault("D03", "unshifted", unshifted, ("gpt",), alike=("D07", "M12")),
    Fault("D04", "all_zero", collapsed, (*CLASSIFY, "unet")),
    Fault("D04", "halved", halved, CLASSIFY),
    Fault("D04", "one_based", one_based, (*ROWS, "unet"), invariant="a label has no output"),
    Fault("D04", "by_appearance", numbered_by_appearance, CLASSIFY, alike=("D03",)),
    Fault("D04", "real_class_ignored", real_class_ignored, (*ROWS, "unet", "gpt")),
    Fault("D05", "one_common", one_common, ROWS),
    Fault("D05", "half_rare", half_rare, ROWS),
    Fault("D07", "target_as_feature", target_as_feature, ("mlp",), invariant=LEAK),
    Fault("D07", "marked_picture", marked_picture, ("cnn_bn", "resnet", "vit"), invariant=LEAK),
    Fault("D13", "padded_text", padded_text, ("gpt",), invariant=PAD),
    Fault("D13", "padded_masks", padded_masks, ("unet",), invariant=PAD, alike=("D05",)),
    Fault("D15", "random_60", noisy_labels, CLASSIFY, stage="M"),
    Fault("D15", "pairs_45", confused_pairs, CLASSIFY, stage="M"),
)
