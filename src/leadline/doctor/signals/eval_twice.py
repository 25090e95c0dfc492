"""Two passes of the same inputs in eval mode: do they agree, and if not, what is still drawn at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from leadline.doctor.evidence import NotExamined, Scene
from leadline.doctor.flow import Flow, Node, noted
from leadline.doctor.moment import Moment
from leadline.doctor.tape import Entry, flatten, play
from leadline.doctor.twin import Twin, seed_all

KEEP = True  # the network's code does not change
DROPOUTS = ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout", "dropout_", "feature_dropout")
DRAWS = ("randn", "randn_like", "rand", "rand_like", "normal_", "uniform_", "bernoulli", "bernoulli_", "normal", "randint", "randint_like")
SAME = 1e-5  # of the outputs' size: threads may add up in another order

Source = Literal["", "dropout", "noise", "sampling"]


@dataclass(frozen=True)
class EvalTwice:
    """answer: "yes" where both passes agree. differs: relative difference of the outputs. by: what is drawn: dropout, noise laid over

    features, or "sampling" (a draw whose scale is learnt, as in a variational net, or one that is none of these).
    """

    answer: Literal["yes", "no"]
    differs: float
    by: Source
    step: int

    @property
    def in_words(self) -> str:
        """The outcome in a clause."""
        if self.answer == "yes":
            return "two passes in eval mode agree"
        why = {"dropout": ": a dropout is active in eval mode", "noise": ": noise is laid over features in eval mode"}.get(self.by, "")
        return f"two passes of the same inputs in eval mode differ by {self.differs:.2g} of the outputs' size{why}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON fields."""
        return {"differs": self.differs, "by": self.by}


def measure(scene: Scene) -> EvalTwice:
    """Raises NotExamined or NotReplayable."""
    moment = scene.first
    twin = scene.lab.at_start()
    module, args, kwargs = _first_call(twin, moment)
    twin.model.eval()
    outputs: list[Tensor] = []
    flow = Flow()
    for seed in (0, 1):
        seed_all(seed)
        with noted(flow if seed else Flow()), torch.enable_grad():
            result = module(*args, **kwargs)
        tensors = [leaf for leaf in flatten(result)[0] if isinstance(leaf, Tensor) and leaf.is_floating_point() and leaf.ndim]
        if not tensors:
            raise NotExamined("the network gives no tensor but a loss")
        outputs.append(torch.cat([tensor.detach().flatten().double() for tensor in tensors]))
    if outputs[0].shape != outputs[1].shape:
        raise NotExamined("the network gives outputs of another shape each time")
    size = float(outputs[0].norm()) or 1.0
    differs = float((outputs[0] - outputs[1]).norm()) / size
    if not differs > SAME:
        return EvalTwice("yes", differs, "", moment.step)
    return EvalTwice("no", differs, _source(flow), moment.step)


def _first_call(twin: Twin, moment: Moment) -> tuple[torch.nn.Module, Any, Any]:
    """The network and the arguments of its first call in this step."""
    found: list[tuple[torch.nn.Module, Any, Any]] = []

    def change(entry: Entry, args: Any, kwargs: Any) -> tuple[Any, Any]:
        if entry.kind == "call" and not found:
            found.append((twin.module_at(entry.module or ""), args, kwargs))
        return args, kwargs

    play(moment.script, twin.places, twin.module_at, change=change, backward=lambda _loss: None)
    if not found:
        raise NotExamined("no call of the network was heard")
    return found[0]


def _source(flow: Flow) -> Source:
    if any(_is_dropping(node) for node in flow.nodes):
        return "dropout"
    drawn = {id(node) for node in flow.nodes if node.name in DRAWS and not node.learns}
    laid = False
    for node in flow.nodes:
        if drawn.isdisjoint(id(parent) for parent in node.parents):
            continue
        learning = any(parent.learns for parent in node.parents) or any(isinstance(arg, Tensor) and arg.requires_grad for arg in node.args)
        if not learning:
            drawn.add(id(node))  # noise, scaled by what is not learnt
        elif node.name in ("mul", "__mul__", "__rmul__", "addcmul"):
            return "sampling"
        elif node.name in ("add", "__add__", "__radd__", "add_", "__iadd__"):
            laid = True
    return "noise" if laid else "sampling"


def _is_dropping(node: Node) -> bool:
    if node.name == "scaled_dot_product_attention":
        return bool(node.given(4, "dropout_p"))
    return node.name in DROPOUTS and bool(node.given(2, "training") or node.kwargs.get("train"))
