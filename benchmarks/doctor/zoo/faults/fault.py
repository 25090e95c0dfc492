"""What a planted fault is: a code of the textbook, the way the mistake is really made, and how to make it in a healthy set-up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from zoo.program import Setup

PICTURES = ("cnn_bn", "resnet", "vit")
CLASSIFY = ("mlp", *PICTURES, "rnn", "encoder", "lora", "gcn")
GENERATE = ("gpt", "autoencoder", "vae", "unet", "diffusion")
ALL = (*CLASSIFY, *GENERATE)


class DoesNotFit(Exception):
    """This set-up lacks what the fault needs (a ReLU, a float input, a batch norm...): another program must carry it."""


def need(condition: bool, what: str) -> None:
    """Refuse a set-up that cannot carry the fault."""
    if not condition:
        raise DoesNotFit(what)


@dataclass(frozen=True)
class Fault:
    """One way to make one mistake.

    base: settings of the recipe that the healthy twin must have too (plain SGD, dropout...), so that only the fault differs.
    invariant: the contract that is broken even where the score does not suffer; empty where only harm counts.
    alike: other codes that a fair judge would also take as the root, because the textbook's rows overlap there.
    stage: the first moment at which a doctor could know, in the textbook's letters.
    """

    code: str
    variant: str
    plant: Callable[[Setup], Setup]
    families: tuple[str, ...] = ALL
    base: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    invariant: str = ""
    alike: tuple[str, ...] = ()
    stage: str = "P"

    @property
    def name(self) -> str:
        """Code and variant in one word."""
        return f"{self.code}-{self.variant}"
