"""Single numbers among the weights and the optimizer's state that stand orders of magnitude apart from all others and from the start."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import torch
from torch import Tensor

from leadline.doctor.evidence import NotExamined, Scene
from leadline.doctor.twin import bare

FACTOR = 1e6  # times the next largest numbers of the tensor: training moves neighbours along
SOME = 16  # elements at least: in a smaller tensor "all others" are too few
LEAST, LEAST_STATE = 1e2, 1e4  # smaller numbers do no harm, and moments have long tails
MOST = 3  # such numbers in all the network; more are an explosion, not a flipped bit


@dataclass(frozen=True)
class Outlier:
    """One number. where: parameter (and state key). restored: its value with one bit of the exponent flipped back, where that fits."""

    where: str
    index: int
    value: float
    usual: float
    bit: int | None
    restored: float | None


@dataclass(frozen=True)
class Outliers:
    """numbers: at most MOST of them; empty where there are none, or far too many to be single."""

    numbers: tuple[Outlier, ...]


def measure(scene: Scene) -> Outliers:
    """One pass over the largest magnitudes; only where one is suspicious are the tensors read."""
    tensors = _tensors(scene)
    if not tensors:
        raise NotExamined("there are no weights on the host or a device to read")
    largest = [float(v) for v in torch.stack([t.detach().abs().max().double().cpu() for _, t in tensors])]
    suspicious = [(name, t) for (name, t), top in zip(tensors, largest, strict=True) if not top < _limit(t)]
    found: list[Outlier] = []
    for name, tensor in suspicious:
        found += _apart(name, tensor)
    started = scene.lab.start
    if started is not None and found:
        initial = dict(bare(started.model).named_parameters())
        found = [each for each in found if each.where not in initial or _is_new(each, initial[each.where])]
    return Outliers(tuple(found) if 0 < len(found) <= MOST else ())


def _tensors(scene: Scene) -> list[tuple[str, Tensor]]:
    named: list[tuple[str, Tensor]] = [
        (name, p) for name, p in bare(scene.model).named_parameters() if p.numel() >= SOME and p.is_floating_point()
    ]
    names = {id(p): name for name, p in named}
    for parameter, state in ((p, state) for optimizer in scene.heard.optimizers for p, state in optimizer.state.items()):
        for key, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape and id(parameter) in names and value.is_floating_point():
                named.append((f"{names[id(parameter)]} ({key})", value))
    return named


def _limit(tensor: Tensor) -> float:
    """What a largest number may be beside the mean magnitude without a closer look: FACTOR / n of the mean would be the outlier itself."""
    middle = float(tensor.detach().reshape(-1)[:: max(1, tensor.numel() // 1024)].abs().double().median())
    return max(middle, 1e-12) * FACTOR


def _apart(name: str, tensor: Tensor) -> list[Outlier]:
    flat = tensor.detach().reshape(-1).double().cpu()
    sizes = torch.nan_to_num(flat.abs(), nan=math.inf, posinf=math.inf)
    usual = float(sizes[sizes.isfinite()].median()) if bool(sizes.isfinite().any()) else 0.0
    if usual == 0.0:  # mostly zeros: a sparse or dead tensor has no usual size
        return []
    least = LEAST_STATE if name.endswith(")") else LEAST
    apart = (sizes > max(usual * FACTOR ** (2 if "sq" in name.rsplit("(")[-1] else 1), least)).nonzero().flatten()
    if not 0 < apart.numel() <= MOST:
        return [_outlier(name, flat, int(i), usual) for i in apart[: MOST + 1]]
    rest = sizes.clone()
    rest[apart] = 0
    if float(sizes[apart].min()) < FACTOR / 100 * float(rest.max()):
        return []
    return [_outlier(name, flat, int(index), usual) for index in apart]


def _outlier(name: str, flat: Tensor, index: int, usual: float) -> Outlier:
    value = float(flat[index])
    bit, restored = _flipped_back(value, usual)
    return Outlier(name, index, value, usual, bit, restored)


def _flipped_back(value: float, usual: float) -> tuple[int | None, float | None]:
    """The bit of the float32 exponent whose flip makes the number usual again."""
    if not math.isfinite(value):
        return None, None
    try:
        bits = struct.unpack("<I", struct.pack("<f", value))[0]
    except OverflowError:
        return None, None
    for bit in range(30, 22, -1):
        other = struct.unpack("<f", struct.pack("<I", bits ^ (1 << bit)))[0]
        if math.isfinite(other) and usual / 1000 < abs(other) < 1000 * usual:
            return bit, other
    return None, None


def _is_new(outlier: Outlier, initial: Tensor) -> bool:
    before = abs(float(initial.detach().reshape(-1)[outlier.index]))
    return abs(outlier.value) > 1e4 * max(before, 1e-12)
