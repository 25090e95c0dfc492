"""The first recorded step done again on a copy of the start with its graph open: what the network was asked, what the loss hangs on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from leadline.doctor.evidence import Scene
from leadline.doctor.tape import Entry, flatten, play
from leadline.doctor.twin import Twin

KEEP = True  # the start does not change

CARRYING = {"TBackward0", "TransposeBackward0", "ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0", "PermuteBackward0",
            "ExpandBackward0", "SliceBackward0", "SelectBackward0", "SqueezeBackward0", "SqueezeBackward1", "UnsqueezeBackward0",
            "CloneBackward0", "SplitBackward0", "SplitWithSizesBackward0", "UnbindBackward0", "ChunkBackward0", "ToCopyBackward0",
            "AsStridedBackward0", "ContiguousBackward0", "MTBackward0", "UnsafeSplitBackward0", "AliasBackward0"}  # fmt: skip
LINEAR = CARRYING | {"AddBackward0", "SubBackward0", "RsubBackward1", "NegBackward0", "CatBackward0", "StackBackward0", "MeanBackward0",
                     "MeanBackward1",
                     "SumBackward0", "SumBackward1", "NativeDropoutBackward0", "AvgPool2DBackward0", "AvgPool1DBackward0",
                     "AdaptiveAvgPool2DBackward0", "ConstantPadNdBackward0", "UpsampleNearest2DBackward0", "UpsampleBilinear2DBackward0",
                     "UpsampleNearest1DBackward0", "EmbeddingBackward0", "AccumulateGrad", "IndexBackward0", "IndexSelectBackward0",
                     "PixelShuffleBackward0", "RepeatBackward0"}  # fmt: skip
NORMING = {
    "NativeBatchNormBackward0",
    "NativeLayerNormBackward0",
    "NativeGroupNormBackward0",
    "CudnnBatchNormBackward0",
    "FusedRmsNormBackward0",
}
PRODUCTS = {"AddmmBackward0", "MmBackward0", "BmmBackward0", "BaddbmmBackward0", "ConvolutionBackward0", "MvBackward0", "LinearBackward0",
            "MulBackward0", "DivBackward0", "SparseAddmmBackward0", "MkldnnConvolutionBackward0", "DotBackward0"}  # fmt: skip
MATRICES = PRODUCTS - {"MulBackward0", "DivBackward0", "DotBackward0"}
VISITED = 20_000  # nodes of a graph looked at


@dataclass(frozen=True)
class Asked:
    """One call of the network from outside: path of the part called, its arguments, and the tensors it gave, detached."""

    path: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True)
class StartPass:
    """calls in order. leaves: trainable tensors that the losses hang on (of the copy; of the original where they could not be copied).

    inside: names of the graph's operations that lie between two of the network's matrices and are not linear. norms: those that normalise.
    depth: whether a matrix follows a matrix.
    """

    twin: Twin
    calls: tuple[Asked, ...]
    leaves: tuple[Tensor, ...]
    inside: tuple[str, ...]
    norms: bool
    depth: bool


def measure(scene: Scene) -> StartPass:
    """Raises NotReplayable."""
    twin = scene.lab.at_start()
    calls: list[Asked] = []
    outputs: list[Any] = []
    open_args: list[tuple[Any, Any]] = []

    def asked(entry: Entry, args: Any, kwargs: Any) -> tuple[Any, Any]:
        if entry.kind == "call":
            open_args.append((args, kwargs))
        return args, kwargs

    def answered(_number: int, entry: Entry, result: Any) -> None:
        if entry.kind == "call":
            made = [leaf for leaf in flatten(result)[0] if isinstance(leaf, Tensor)]
            outputs.extend(made)
            args, kwargs = open_args[-1]
            calls.append(Asked(entry.module or "", args, kwargs, tuple(leaf.detach() for leaf in made)))

    with torch.enable_grad():
        losses = play(scene.first.script, twin.places, twin.module_at, backward=lambda _: None, change=asked, watch=answered)
    inside, norms, depth = _between([leaf for leaf in outputs if leaf.is_floating_point() and leaf.grad_fn is not None])
    return StartPass(twin, tuple(calls), tuple(_leaves([loss for loss in losses if loss.grad_fn is not None])), inside, norms, depth)


def _leaves(roots: list[Tensor]) -> list[Tensor]:
    """The tensors that accumulate a gradient below these."""
    found: dict[int, Tensor] = {}
    seen: set[Any] = set()
    waiting: list[Any] = [root.grad_fn for root in roots]
    while waiting and len(seen) < VISITED:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None) if node.name().endswith("AccumulateGrad") else None
        if variable is not None:
            found[id(variable)] = variable
        waiting += [below for below, _ in node.next_functions if below is not None]
    return list(found.values())


def _between(roots: list[Tensor]) -> tuple[tuple[str, ...], bool, bool]:
    """Operations under at least one matrix that are not linear; whether any normalises; whether a matrix lies under a matrix."""
    inside: list[str] = []
    norms = depth = False
    seen: set[tuple[Any, bool]] = set()
    waiting: list[tuple[Any, bool]] = [(root.grad_fn, False) for root in roots]
    while waiting:
        node, under = waiting.pop()
        if (node, under) in seen or len(seen) > VISITED:
            continue
        seen.add((node, under))
        kind = _kind(node)
        norms |= kind == "norm" and under
        depth |= kind == "matrix" and under
        if kind == "other" and under:
            inside.append(node.name())
        below = under or kind == "matrix"
        waiting += [(child, below) for child in _signal_children(node)]
    if len(seen) > VISITED:
        inside.append("too large to say")
    return tuple(inside), norms, depth


def _kind(node: Any) -> str:
    name = node.name().rsplit("::", 1)[-1]
    if name in PRODUCTS:
        if len(_signal_children(node)) >= 2 and not (name == "AddmmBackward0" and len(_factors(node)) < 2):
            return "other"  # a product of two signals: attention, a gate, a square
        return "matrix" if name in MATRICES else "linear"
    return "norm" if name in NORMING else "linear" if name in LINEAR else "other"


def _factors(node: Any) -> list[Any]:
    return list(_signal_children(node))


def _signal_children(node: Any) -> list[Any]:
    """What lies below and is more than a parameter in another shape."""
    return [child for child, _ in node.next_functions if child is not None and not _is_weight(child)]


def _is_weight(node: Any) -> bool:
    for _ in range(6):  # a parameter is carried through few views: transpose, view, cast
        name = node.name().rsplit("::", 1)[-1]
        if name.endswith("AccumulateGrad"):
            return True
        below = [child for child, _ in node.next_functions if child is not None]
        if name not in CARRYING or len(below) != 1:
            return False
        node = below[0]
    return False
