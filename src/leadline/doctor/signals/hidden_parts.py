"""Trainable tensors that the loss hangs on, and that lie in the network where parameters() does not look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from types import FunctionType
from typing import Any

from torch import Tensor, nn

from leadline.doctor.evidence import Evidence, Scene
from leadline.doctor.signals.start_pass import StartPass

KEEP = True
DEPTH = 5  # of lists in dictionaries in objects
REGISTERED = ("_parameters", "_buffers", "_modules")


@dataclass(frozen=True)
class HiddenParts:
    """names: places ("layers[0].weight") of what the loss hangs on, in no optimizer and not registered. share: of all weights."""

    names: tuple[str, ...]
    share: float


def measure(scene: Scene) -> HiddenParts:
    """Raises NotReplayable where the step cannot be done again."""
    if not any(True for _ in unregistered(scene.lab.model)):
        return HiddenParts((), 0.0)
    found: StartPass = Evidence(scene)["start_pass"]
    known = {id(tensor) for tensor in found.twin.places.tensors}
    elsewhere = {id(p) for other in scene.heard.strangers.values() for group in other["optimizer"].param_groups for p in group["params"]}
    originals = dict(unregistered(scene.lab.model))
    used = {id(leaf) for leaf in found.leaves}
    names = {
        name: tensor
        for name, tensor in unregistered(found.twin.model)
        if id(tensor) in used and id(tensor) not in known and id(originals.get(name)) not in elsewhere
    }
    hidden = sum(tensor.numel() for tensor in names.values())
    whole = hidden + sum(p.numel() for p in found.twin.model.parameters())
    return HiddenParts(tuple(names), hidden / max(whole, 1))


def unregistered(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """(place, tensor) of every trainable leaf in the attributes of the network's parts that is not one of its parameters."""
    seen = {id(p) for p in model.parameters()} | {id(module) for module in model.modules()}
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if name not in REGISTERED and not name.endswith("_hooks"):
                yield from _inside(value, f"{path}.{name}" if path else name, seen, DEPTH)


def _inside(value: Any, place: str, seen: set[int], depth: int) -> Iterator[tuple[str, Tensor]]:
    if id(value) in seen or depth == 0 or isinstance(value, (str, bytes, int, float, type(None))):
        return
    seen.add(id(value))
    if isinstance(value, Tensor):
        if value.requires_grad and value.is_leaf:
            yield place, value
    elif isinstance(value, nn.Module):
        for name, tensor in value.named_parameters():
            if id(tensor) not in seen and tensor.requires_grad:
                seen.add(id(tensor))
                yield f"{place}.{name}", tensor
        for path, name, inner in ((path, *field) for path, module in value.named_modules() for field in list(vars(module).items())):
            if name not in REGISTERED and not name.endswith("_hooks"):
                yield from _inside(inner, ".".join(part for part in (place, path, name) if part), seen, depth - 1)
    else:
        for name, inner in _parts(value):
            yield from _inside(inner, f"{place}{name}", seen, depth - 1)


def _parts(value: Any) -> list[tuple[str, Any]]:
    """What a container, a function or a plain object holds."""
    if isinstance(value, dict):
        return [(f"[{key!r}]", inner) for key, inner in list(value.items())[:1000]]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [(f"[{number}]", inner) for number, inner in enumerate(list(value)[:1000])]
    if isinstance(value, FunctionType):
        return [("()", cell.cell_contents) for cell in value.__closure__ or () if _is_full(cell)]
    if isinstance(value, partial):
        return [("()", inner) for inner in (value.func, *value.args, *value.keywords.values())]
    if (
        hasattr(value, "__dict__")
        and not isinstance(value, type)
        and type(value).__module__.split(".")[0] not in ("torch", "builtins", "numpy")
    ):
        return [(f".{name}", inner) for name, inner in vars(value).items()]
    return []


def _is_full(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # a name that was not given a value yet
        return False
