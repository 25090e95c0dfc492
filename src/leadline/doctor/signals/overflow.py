"""The first operation of a recorded step that makes a number too large: finite in, infinite or NaN out, watched below autograd."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from leadline.doctor.evidence import NotExamined, Scene
from leadline.doctor.twin import Twin

FOLLOWING = 12  # operations after the first bad one that are listed: scores and their softmax are closer than that
SOFTMAX = ("_softmax", "exp", "_scaled_dot_product", "_safe_softmax", "_log_softmax")


@dataclass(frozen=True)
class Overflow:
    """operation: its aten name; "" where all stayed finite. where: the module. largest: magnitude of its inputs. following: next "
    "operations."""

    operation: str
    where: str
    inside: bool
    dtype: str
    largest: float
    following: tuple[str, ...]

    @property
    def in_softmax(self) -> bool:
        """Whether a softmax, by hand or torch's, is where it happens or what it is fed to."""
        return any(part in name for name in (self.operation, *self.following) for part in SOFTMAX)


def measure(scene: Scene) -> Overflow:
    """Raises NotExamined where nothing became infinite; NotReplayable."""
    if "nonfinite_at" not in scene.kept:
        raise NotExamined("every loss and gradient was finite")
    twins = [(scene.lab.at_start(), scene.first)]
    now = scene.lab.now()
    if all(bool(p.isfinite().all()) for p in now.model.parameters()):
        twins.insert(0, (now, scene.last))
    for twin, moment in twins:
        found = _watched(twin, moment)
        if found.operation:
            return found
    raise NotExamined("the recorded steps stay finite when they are done again")


def _watched(twin: Twin, moment: Any) -> Overflow:
    here: list[str] = []
    watch = _Watch(here)
    with _paths(twin.model, here), watch:
        twin.loss(moment)
    return watch.found()


class _Watch(TorchDispatchMode):
    """Looks at what every operation makes until one makes what is not finite."""

    def __init__(self, here: list[str]) -> None:
        super().__init__()
        self.here = here
        self.first: tuple[str, str, bool, str, float] | None = None
        self.following: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = str(func).removeprefix("aten.").split(".")[0]
        if self.first is not None:
            if len(self.following) < FOLLOWING:
                self.following.append(name)
        elif any(_too_large(leaf) for leaf in pytree.tree_leaves(result)):
            given = [leaf for leaf in pytree.tree_leaves((args, kwargs)) if isinstance(leaf, Tensor) and leaf.is_floating_point()]
            if not any(_too_large(leaf) for leaf in given):
                made = next(leaf for leaf in pytree.tree_leaves(result) if _too_large(leaf))
                largest = max((float(leaf.abs().max()) for leaf in given if leaf.numel()), default=0.0)
                self.first = (name, self.here[-1] if self.here else "", bool(self.here), str(made.dtype).removeprefix("torch."), largest)
        return result

    def found(self) -> Overflow:
        name, where, inside, dtype, largest = self.first or ("", "", False, "", 0.0)
        return Overflow(name, where, inside, dtype, largest, tuple(self.following))


def _too_large(value: Any) -> bool:
    """NaN or plus infinity; minus infinity is how masks are written."""
    if not isinstance(value, Tensor) or not value.is_floating_point() or not value.numel():
        return False
    return bool(value.isnan().any() | value.isposinf().any())


@contextmanager
def _paths(model: nn.Module, here: list[str]) -> Iterator[None]:
    """Keeps the path of the module at work at the end of `here`."""
    handles = []
    for path, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(lambda _m, _a, path=path: here.append(path or type(model).__name__)))
        handles.append(module.register_forward_hook(lambda _m, _a, _r: _leave(here), always_call=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _leave(here: list[str]) -> None:
    here.pop()
