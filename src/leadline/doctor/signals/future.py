"""Whether an output at a place depends on later places of a sequence whose next element is the target."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.signals.start_pass import Asked, StartPass
from leadline.doctor.tape import flatten
from leadline.doctor.twin import Twin

KEEP = True
AGREE = 0.95  # of the targets that count are the next input: padding and cut ends spoil a few
NOISE = 1e-4  # against the change at the changed places: rounding stays below 1e-5


@dataclass(frozen=True)
class Future:
    """places: length of the sequence. seen: share of the earlier places whose outputs changed with the later inputs. ahead: nearest place

    before the change that changed (1: the very next token is seen). is_next: targets are the inputs shifted by one.
    """

    is_next: bool
    places: int
    seen: float
    strength: float
    ahead: int | None


def measure(scene: Scene) -> Future:
    """Raises NotExamined where the task is not to tell the next element."""
    moment = scene.first
    target = moment.loss.target if moment.loss is not None else None
    if target is None:
        raise NotExamined("no targets were heard")
    if not any(_is_sequence(each) for each in moment.inputs):
        raise NotExamined("the network's inputs are no sequences")
    found: StartPass = Evidence(scene)["start_pass"]
    ignore = int((moment.loss.options if moment.loss else {}).get("ignore_index", -100))
    for call in found.calls[:4]:
        leaves, _ = flatten((call.args, call.kwargs))
        for place, leaf in enumerate(leaves):
            layout = _next_layout(leaf, target, ignore) if isinstance(leaf, Tensor) and _is_sequence(leaf) else None
            if layout is not None:
                return _asked(found.twin, call, place, *layout)
    raise NotExamined("the targets are not the inputs shifted by one")


def _is_sequence(leaf: Tensor) -> bool:
    return leaf.ndim in (2, 3) and leaf.shape[0] >= 1 and min(leaf.shape[:2]) >= 1 and max(leaf.shape[:2]) >= 4


def _next_layout(leaf: Tensor, target: Tensor, ignore: int) -> tuple[int, Tensor] | None:
    """(time axis, which places of the shifted sequence count, as BT) where the targets are the next elements."""
    for axis in (1, 0):
        tokens_BTX = leaf.detach() if axis == 1 else leaf.detach().transpose(0, 1)
        if tokens_BTX.shape[1] < 4:
            continue
        shifted = tokens_BTX[:, 1:]
        for given in _target_ways(target, tokens_BTX, time_first=axis == 0):
            if given.shape != shifted.shape:
                continue
            counts = given != ignore if not given.is_floating_point() else torch.ones_like(given, dtype=torch.bool)
            if counts.sum() < 4:
                continue
            same = (
                (given == shifted)[counts].double().mean()
                if not given.is_floating_point()
                else torch.isclose(given, shifted, atol=1e-6)[counts].double().mean()
            )
            here = (given == tokens_BTX[:, :-1])[counts].double().mean()
            if same >= AGREE and here < AGREE:
                return axis, counts.flatten(2).any(2) if counts.ndim > 2 else counts
    return None


def _target_ways(target: Tensor, tokens_BTX: Tensor, *, time_first: bool) -> list[Tensor]:
    """The targets as (B, T - 1, ...), for each layout in which they may have been given to the loss."""
    batch, time, *rest = tokens_BTX.shape
    each = max(1, tokens_BTX[0, 0].numel())
    ways: list[Tensor] = []
    for length in (time, time - 1):
        if target.numel() != batch * length * each:
            continue
        whole = target.reshape(length, batch, *rest).transpose(0, 1) if time_first else target.reshape(batch, length, *rest)
        ways.append(whole[:, : time - 1])
    return ways


def _asked(twin: Twin, call: Asked, place: int, axis: int, counts_BT: Tensor) -> Future:
    """Other later elements, at three cuts; the outputs before each cut."""
    twin.model.eval()
    leaves, spec = flatten((call.args, call.kwargs))
    tokens = leaves[place].detach()
    time = tokens.shape[axis]
    plain = _answer(twin, call, leaves, spec)
    if plain is None:
        raise NotExamined("the network gives no output for each place")
    worst = Future(True, time, 0.0, 0.0, None)
    for cut in sorted({time // 4, time // 2, time - 2} - {0}):
        moved = tokens.clone()
        later = torch.arange(cut + 1, time)
        moved.index_copy_(axis, later, _others(tokens, axis, later))
        after = _answer(twin, call, [*leaves[:place], moved, *leaves[place + 1 :]], spec)
        change = _by_place(plain, after, tokens.shape[0] if axis == 1 else tokens.shape[1], time, axis) if after is not None else None
        if change is None:
            raise NotExamined("the outputs' places cannot be matched with the inputs'")
        length = min(cut + 1, counts_BT.shape[1])
        early = change[:, :length] * counts_BT[:, :length].to(change)
        limit = NOISE * max(float(change.max()), 1e-12)
        reached = (early > limit).any(0)
        if float(reached.double().mean()) > worst.seen:
            worst = Future(
                True, time, float(reached.double().mean()), float(early.max() / change.max()), cut + 1 - int(reached.nonzero().max())
            )
    return worst


def _others(tokens: Tensor, axis: int, later: Tensor) -> Tensor:
    """The later places with what stands elsewhere in this batch: known tokens, in another order."""
    part = tokens.index_select(axis, later)
    pool = tokens.reshape(-1, *tokens.shape[2:])
    random = torch.Generator().manual_seed(0)
    pick = torch.randint(pool.shape[0], (part.shape[0] * part.shape[1],), generator=random)
    return pool[pick.to(pool.device)].reshape(part.shape)


def _answer(twin: Twin, call: Asked, leaves: list[object], spec: object) -> Tensor | None:
    torch.manual_seed(0)
    args, kwargs = torch.utils._pytree.tree_unflatten(leaves, spec)  # pyright: ignore
    with torch.no_grad():
        made = twin.module_at(call.path)(*args, **kwargs)
    return next(
        (leaf.detach() for leaf in flatten(made)[0] if isinstance(leaf, Tensor) and leaf.is_floating_point() and leaf.ndim >= 2), None
    )


def _by_place(before: Tensor, after: Tensor, batch: int, time: int, axis: int) -> Tensor | None:
    """How much the output changed, as (B, T)."""
    change = (after.double() - before.double()).abs()
    if change.ndim >= 3:
        for one, two in ((0, 1), (0, change.ndim - 1)) if axis == 1 else ((1, 0),):
            if change.shape[one] == batch and change.shape[two] in (time, time - 1):
                moved = change.movedim((one, two), (0, 1))
                return moved.flatten(2).amax(2) if moved.ndim > 2 else moved
    for length in (time, time - 1):
        if change.shape[0] == batch * length:
            flat = change.flatten(1).amax(1)
            return flat.reshape(batch, length) if axis == 1 else flat.reshape(length, batch).t()
        if change.shape == (batch, length):
            return change
    return None
