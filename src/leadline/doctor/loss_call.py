"""Reads a call of a loss function: what it was given, by the names of its signature, and what it gave."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from leadline.doctor.moment import LossCall

SIGNATURES = {name: inspect.signature(getattr(nn.functional, name)) for name in ("cross_entropy", "nll_loss", "mse_loss")}


def loss_call(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> LossCall:
    """The record of a call."""
    try:
        signature = SIGNATURES.get(name) or SIGNATURES.setdefault(name, inspect.signature(getattr(nn.functional, name)))
        given = signature.bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        given = {"input": args[0] if args else None, "target": args[1] if len(args) > 1 else None}
    values = list(given.values())
    options = dict(list(given.items())[2:])
    value = result.detach() if isinstance(result, Tensor) else None
    with_grad = torch.is_grad_enabled() and (not isinstance(result, Tensor) or result.requires_grad)
    return LossCall(name, _tensor(values, 0), _tensor(values, 1), options, value, with_grad)


def _tensor(values: list[Any], place: int) -> Tensor | None:
    value = values[place] if len(values) > place else None
    return value.detach() if isinstance(value, Tensor) else None
