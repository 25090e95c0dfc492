"""The model contract: settings and how to build, without torch at import; the networks themselves stand in `models/nets/`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from leadline.base.spec import Spec
from leadline.record.ports import Port

if TYPE_CHECKING:
    from torch import nn


class Model(ABC):
    """A network by name; one file of `models/zoo/`, its docstring is its handbook page.

    The module that `build` returns is called as `module(*inputs)` with the tensors of the port it takes, and returns the tensor of the port
    it gives. In training mode an ensemble returns (B, members, C); in eval mode always (B, C) logits or (B, V) values.
    """

    Spec: ClassVar[type[Spec]]
    """Its settings: the keys allowed beside `name` in the recipe's `model` block."""
    takes: ClassVar[tuple[type[Port], ...]]
    gives: ClassVar[tuple[type[Port], ...]]

    @classmethod
    @abstractmethod
    def build(cls, spec: Spec, takes: Port, gives: Port) -> nn.Module:
        """A fresh module on the CPU, initialised from torch's global generator."""

    @classmethod
    def suggest(cls, *, takes: Port, num_examples: int) -> dict[str, Any]:
        """Training settings that suit it for this much data, as dotted recipe keys ("train.epochs"); others have general defaults."""
        return {}

    @classmethod
    def suggest_with(cls, options: dict[str, Any], *, takes: Port, num_examples: int) -> dict[str, Any]:
        """The same where the network's own settings matter."""
        return cls.suggest(takes=takes, num_examples=num_examples)

    @classmethod
    @abstractmethod
    def tiny(cls) -> Spec:
        """Settings that make it small enough to train in a test."""
