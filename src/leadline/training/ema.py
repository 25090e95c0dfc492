"""An exponential moving average of the weights: smoother than the last ones, and what is validated and kept when it is on."""

# pyright: reportPrivateImportUsage=false
# torch's foreach functions are the way to treat all parameters in one call; they have no public name.

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class Average:
    """The moving average of a model's parameters. Buffers (running statistics) are averages already and are used as they are."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.parameters = dict(model.named_parameters())
        self.averages = {name: parameter.detach().clone() for name, parameter in self.parameters.items()}

    @torch.no_grad()
    def update(self, step: int, *, skip: torch.Tensor | None = None) -> None:
        """Move towards the present weights. step: steps made, from 1; skip: scalar on the device, 1 where nothing may move.

        The first steps weigh more, min(decay, (1 + n) / (10 + n)), or the random start would be seen for 1 / (1 - decay) steps.
        """
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        averages = list(self.averages.values())
        difference = torch._foreach_sub(list(self.parameters.values()), averages)
        torch._foreach_mul_(difference, share if skip is None else share * (1 - skip))
        torch._foreach_add_(averages, difference)

    @contextmanager
    def worn(self) -> Iterator[None]:
        """Within it the model has the averaged weights; afterwards its own again, bit for bit."""
        own = [parameter.detach().clone() for parameter in self.parameters.values()]
        self.give()
        try:
            yield
        finally:
            self._put(own)

    def give(self) -> None:
        """Put the averaged weights into the model for good."""
        self._put(list(self.averages.values()))

    @torch.no_grad()
    def _put(self, weights: list[torch.Tensor]) -> None:
        torch._foreach_copy_([parameter.data for parameter in self.parameters.values()], weights)
