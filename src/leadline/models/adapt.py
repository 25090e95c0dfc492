"""Adapting a network: what is frozen and when it thaws, learning rates by depth, what decays, what is computed again in the backward pass.

All questions are answered by parameter name, from `Network.stages` and `Network.head`, so that optimizers and checkpoints share the words.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from leadline.models.nets.network import Network

# Parameters that say where or what something is, not how strongly it counts: shrinking them towards 0 has no meaning.
_PLACES = ("pos_embed", "position_embedding", "relative_position", "rel_pos", "cls_token", "class_token", "dist_token", "reg_token")


def freeze_backbone(model: nn.Module) -> None:
    """Let only the head learn: all other weights and the batch-norm statistics stay bit for bit as they are, whatever mode is asked for."""
    unfrozen_at(model, 0, every=1)


def unfrozen_at(model: nn.Module, epoch: int, *, every: int) -> tuple[str, ...]:
    """Gradual unfreezing as a function of the epoch, from 0: the head learns at once, every `every` epochs one stage more, deepest first.

    Returns the names of all parameters that learn now. Calling it again changes nothing, so a resumed run stands where it stood.
    """
    stages = _network(model).stages()
    thawed = stages[max(0, len(stages) - 1 - epoch // every) :]
    return _let_learn(model, {name for stage in thawed for name in stage})


def unfreeze_next(model: nn.Module) -> tuple[str, ...]:
    """Let the deepest stage that is still frozen learn too; returns its parameter names, or none when all learn."""
    parameters = dict(model.named_parameters())
    for stage in reversed(_network(model).stages()):
        if not all(parameters[name].requires_grad for name in stage):
            _let_learn(model, {name for name, weight in parameters.items() if weight.requires_grad} | set(stage))
            return tuple(stage)
    return ()


def depth_scales(model: nn.Module, decay: float) -> dict[str, float]:
    """Each parameter's learning rate as a multiple of the run's: 1 at the head, times `decay` for each stage towards the input."""
    stages = _network(model).stages()
    scales = {name: 1.0 for name, _ in model.named_parameters()}
    for distance, stage in enumerate(reversed(stages)):
        scales.update(dict.fromkeys(stage, decay**distance))
    return scales


def decays(model: nn.Module) -> set[str]:
    """Names of the weights that weight decay shrinks: matrices and kernels, not norms, biases, per-member scalings, positions or tokens."""
    # More than one weight per output: a layer scale of shape (C, 1, 1) is a vector.
    matrices = {name for name, weight in model.named_parameters() if weight.ndim >= 2 and weight.numel() > weight.shape[0]}
    return {name for name in matrices if not _exempt(name)}


def hidden_matrices(model: nn.Module) -> set[str]:
    """Names of the 2-D weights between the first stage and the head: those that Muon, which wants matrices, may take."""
    shapes = {name: weight.shape for name, weight in model.named_parameters()}
    hidden = {name for stage in _network(model).stages()[1:-1] for name in stage}
    return {name for name in hidden & decays(model) if len(shapes[name]) == 2 and min(shapes[name]) > 1}


def checkpoint_activations(model: nn.Module) -> int:
    """Trade time for memory: keep only what enters each block, and compute its inside again in the backward pass. Returns how many blocks.

    Gradients, random draws and batch-norm statistics are those of the plain pass. Names of parameters do not change.
    """
    blocks = [block for block in _network(model).blocks() if any(next(child.parameters(), None) is not None for child in block.children())]
    for block in blocks:
        block.forward = partial(_recomputed, block)
    return len(blocks)


def _recomputed(block: nn.Module, *inputs: Any, **options: Any) -> Any:
    plain = partial(type(block).forward, block)
    if not torch.is_grad_enabled():
        return plain(*inputs, **options)
    if torch.compiler.is_compiling():  # the compiler moves statistics once, and takes no contexts of ours
        return checkpoint(plain, *inputs, use_reentrant=False, **options)
    contexts = partial(_first_and_second_pass, block)
    return checkpoint(plain, *inputs, use_reentrant=False, context_fn=contexts, **options)


def _first_and_second_pass(block: nn.Module) -> tuple[Any, Any]:
    return nullcontext(), _statistics_kept(block)


@contextmanager
def _statistics_kept(block: nn.Module) -> Iterator[None]:
    """The second pass sees the same batch again: what it adds to running statistics is taken back."""
    before = [(buffer, buffer.clone()) for buffer in block.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in before:
                buffer.copy_(value)


def _network(model: nn.Module) -> Network:
    if not isinstance(model, Network):
        raise TypeError(f"{type(model).__name__} is not a leadline network: give the module that models.build made, before wrapping it")
    return model


def _let_learn(model: nn.Module, names: set[str]) -> tuple[str, ...]:
    for name, weight in model.named_parameters():
        weight.requires_grad_(name in names)
    model.train(model.training)  # frozen parts rest, thawed ones wake
    return tuple(name for name, _ in model.named_parameters() if name in names)


def _exempt(name: str) -> bool:
    last = name.rsplit(".", 1)[-1]
    # r and s are BatchEnsemble's scalings, (members, features): vectors in all but shape.
    return last == "bias" or last in ("r", "s") or any(place in name for place in _PLACES)
