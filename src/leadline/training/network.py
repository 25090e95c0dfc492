"""The model as the loop calls it: with recomputed activations, or compiled, where the recipe says so; plain words when that fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
from torch import nn

from leadline.base.errors import InputError
from leadline.models import adapt
from leadline.training.settings import TrainSpec


def network_of(model: nn.Module, settings: TrainSpec) -> nn.Module:
    """What a task's losses call. Weights, names and modes are those of `model`, which is prepared in place."""
    if settings.activation_checkpointing:
        adapt.checkpoint_activations(model)
    return cast("nn.Module", torch.compile(model)) if settings.compile else model


@contextmanager
def compile_errors(settings: TrainSpec) -> Iterator[None]:
    """Within it, a compiler's failure is InputError LL022 with its first line. Nothing falls back to the uncompiled model in silence."""
    if not settings.compile:
        yield
        return
    from torch._dynamo.exc import TorchDynamoException  # imports the compiler, which only a compiled run needs

    try:
        yield
    except TorchDynamoException as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise InputError(
            "LL022",
            f"train.compile = true: torch.compile cannot compile this model here: {lines[0][:300]}",
            where="recipe, train.compile",
            help="set  train.compile=false",
        ) from error
