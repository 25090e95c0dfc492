"""Faults of what learns: M08 not registered, M09 frozen, M10 detached."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from zoo.faults.fault import ALL, CLASSIFY, DoesNotFit, Fault, need
from zoo.faults.surgery import Apply, Around, before_head, head, hidden, is_conv, place, rebuilt
from zoo.program import Setup

# M08 not_registered


class Listed(nn.Module):
    """A part kept in a Python list, which parameters() does not see."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.layers = [part]

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """The part's output."""
        for layer in self.layers:
            inputs = (layer(*inputs, **options),)
        return inputs[0]


class Named(nn.Module):
    """A part kept in a Python dictionary."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.experts = {"main": part}

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """The part's output."""
        return self.experts["main"](*inputs, **options)


def around_hidden(setup: Setup, make: Callable[[nn.Module], nn.Module]) -> Setup:
    """Put something around the largest hidden part."""
    name = hidden(setup)
    try:
        place(setup.model, name, make(setup.model.get_submodule(name)))
    except (TypeError, AttributeError) as problem:
        raise DoesNotFit(str(problem)) from problem
    return rebuilt(setup)


def in_a_list(setup: Setup) -> Setup:
    """Hidden layers in a Python list."""
    return around_hidden(setup, Listed)


def in_a_dictionary(setup: Setup) -> Setup:
    """Hidden layers in a Python dictionary."""
    return around_hidden(setup, Named)


def bare_tensors(setup: Setup) -> Setup:
    """A layer before the head holds its weights as tensors with requires_grad, not as parameters."""

    def make(width: int) -> nn.Module:
        weight = torch.randn(2, width) / width**0.5
        back = torch.randn(width, 2) / 2**0.5
        return Bare(weight.requires_grad_(), back.requires_grad_())

    need(not is_conv(setup), "a linear head")
    return before_head(setup, make)


class Bare(nn.Module):
    """Two matrices as plain tensors."""

    def __init__(self, down: Tensor, up: Tensor) -> None:
        super().__init__()
        self.down, self.up = down, up

    def forward(self, x: Tensor) -> Tensor:
        """Through both."""
        return torch.tanh(x @ self.down.T) @ self.up.T


# M09 unexpectedly_frozen


def trainable(setup: Setup) -> Setup:
    """The optimizer over what still trains."""
    need(any(p.requires_grad for p in setup.model.parameters()), "something that trains")
    return rebuilt(setup)


def frozen_head(setup: Setup) -> Setup:
    """requires_grad is off for the new head (the loop that froze the backbone came after it was put in)."""
    for parameter in head(setup).parameters():
        parameter.requires_grad_(False)
    return trainable(setup)


def frozen_body(setup: Setup) -> Setup:
    """The backbone is frozen, but its weights are random: no checkpoint was ever loaded."""
    inside = {id(p) for p in head(setup).parameters()}
    for parameter in setup.model.parameters():
        parameter.requires_grad_(id(parameter) in inside)
    return trainable(setup)


def frozen_matrices(setup: Setup) -> Setup:
    """Only parameters with 'bias' in the name train (a BitFit recipe on an untrained net)."""
    for parameter in setup.model.parameters():
        if parameter.dim() > 1:
            parameter.requires_grad_(False)
    return trainable(setup)


# M10 detached


class Silent(nn.Module):
    """A part computed under no_grad, left over from feature extraction."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """The part's output without a graph."""
        with torch.no_grad():
            return self.part(*inputs, **options)


def cut_before_head(change: Callable[[Tensor], Tensor]) -> Callable[[Setup], Setup]:
    """Change the head's input in a way that cuts the graph."""

    def plant(setup: Setup) -> Setup:
        return before_head(setup, lambda _: Apply(change))

    return plant


def body_without_graph(setup: Setup) -> Setup:
    """The largest hidden part runs under no_grad."""
    return around_hidden(setup, Silent)


def output_as_data(setup: Setup) -> Setup:
    """The largest hidden part gives .data."""
    return around_hidden(setup, lambda part: Around(part, lambda t: t.data))


LOST = "parameters in the graph that parameters() does not give"
CUT = "trainable parameters get no gradient"
RANDOM = "frozen at its random start"
FAULTS = (
    Fault("M08", "list", in_a_list, ALL, invariant=LOST, stage="S"),
    Fault("M08", "dictionary", in_a_dictionary, ALL, invariant=LOST, stage="S"),
    Fault("M08", "bare_tensors", bare_tensors, CLASSIFY, invariant=LOST, stage="S"),
    Fault("M09", "head", frozen_head, ALL, invariant="the head is " + RANDOM, stage="S"),
    Fault("M09", "untrained_body", frozen_body, ALL, stage="S"),
    Fault("M09", "all_matrices", frozen_matrices, ALL, stage="S"),
    Fault("M10", "detach_before_head", cut_before_head(Tensor.detach), ALL, invariant=CUT),
    Fault("M10", "through_numpy", cut_before_head(lambda x: torch.from_numpy(x.detach().numpy())), ALL, invariant=CUT),
    Fault("M10", "no_grad_body", body_without_graph, ALL, invariant=CUT),
    Fault("M10", "data", output_as_data, ALL, invariant=CUT),
)
