"""Random generators of the user's own inside network and data set, seeded by the operating system: nobody can repeat what they draw."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from leadline.doctor.evidence import Scene
from leadline.doctor.twin import bare

KEEP = True
DEPTH = 7  # objects within objects: a transform in a list in a Compose in a data set in a Subset in a loader
NODES = 3000  # objects looked at, at most
ENTROPY_BITS = 64  # a seed that a person wrote is shorter; NumPy takes 128 bits from the operating system


@dataclass(frozen=True)
class OwnGenerators:
    """unseeded: (where, kind) of generators seeded by the operating system. in_network: of these, how many the network holds."""

    unseeded: tuple[tuple[str, str], ...]
    in_network: int


def measure(scene: Scene) -> OwnGenerators:
    """Walks attributes, lists and closures; draws nothing."""
    net: list[tuple[str, str]] = []
    for path, module in bare(scene.model).named_modules():
        net += [(f"{path or 'the network'}{place}", kind) for place, kind in _unseeded(module, is_module=True)]
    sample = scene.heard.samples.get(scene.heard.train_loader or -1)
    loader = sample.loader if sample is not None else scene.loader
    holders = [(name, getattr(loader, name, None)) for name in ("dataset", "collate_fn", "sampler", "batch_sampler")]
    data = [(f"the loader's {name}{place}", kind) for name, holder in holders for place, kind in _unseeded(holder, is_module=False)]
    return OwnGenerators(tuple(dict.fromkeys([*net, *data])), len(net))


def _unseeded(holder: Any, *, is_module: bool) -> list[tuple[str, str]]:
    seen: set[int] = set()
    found: list[tuple[str, str]] = []
    todo: list[tuple[str, Any, int]] = [("", holder, 0)]
    while todo and len(seen) < NODES:
        place, thing, depth = todo.pop()
        if (
            thing is None
            or id(thing) in seen
            or isinstance(thing, (str, bytes, int, float, torch.Tensor, np.ndarray, type, types.ModuleType))
        ):
            continue
        seen.add(id(thing))
        if isinstance(thing, np.random.Generator):
            found += [(place, "numpy Generator")] if _from_system(thing) else []
        elif depth < DEPTH and not (is_module and depth and isinstance(thing, nn.Module)):
            todo += [(f"{place}.{name}", child, depth + 1) for name, child in _children(thing)]
    return found


def _from_system(generator: np.random.Generator) -> bool:
    sequence = getattr(generator.bit_generator, "seed_seq", None)
    entropy = getattr(sequence, "entropy", None)
    return isinstance(entropy, int) and entropy.bit_length() > ENTROPY_BITS


def _children(thing: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(thing, dict):
        yield from ((str(key), value) for key, value in list(thing.items())[:50])
    elif isinstance(thing, (list, tuple)):
        yield from ((str(number), value) for number, value in enumerate(thing[:50]))
    elif isinstance(thing, types.MethodType):
        yield "self", thing.__self__
    elif isinstance(thing, types.FunctionType):
        names = thing.__code__.co_freevars
        for name, cell in zip(names, thing.__closure__ or (), strict=True):
            try:
                yield name, cell.cell_contents
            except ValueError:  # a cell that was never filled
                continue
        used = thing.__code__.co_names
        yield from ((name, thing.__globals__[name]) for name in used if isinstance(thing.__globals__.get(name), np.random.Generator))
    else:
        fields = getattr(thing, "__dict__", None)
        if isinstance(fields, dict):
            yield from list(fields.items())[:100]
        methods = (vars(type(thing)).get(name) for name in ("forward", "__getitem__", "__call__"))
        forward = next((method for method in methods if method is not None), None)
        if isinstance(forward, types.FunctionType):
            yield "()", forward
