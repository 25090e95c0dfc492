"""What looks wrong in the network as it was before training: scales, dead and saturated units, gains along the depth. Leads, not proofs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from leadline.doctor.anatomy import Anatomy, Layer
from leadline.doctor.evidence import Evidence, Scene
from leadline.doctor.surgery import NORMS

KEEP = True

DEEP = 5  # matrices one after another: fewer are a matter of single layers
DEAD = 0.9  # of a layer's units never positive on the batch
ENDS = 0.8  # of a bounded layer's values within a hundredth of an end
OFF = 3.0  # times wider or narrower than any usual start of that fan-in: the usual ones span a factor of 2.5
SHRINK = 1e-3  # of the gradient from the last matrix to the first
SAME = 0.999  # mean cosine of rows: nothing of the input is left


@dataclass(frozen=True)
class StartSigns:
    """dead, saturated: paths of layers; feeding: the matrices before the saturated ones. off_scale: path -> how many times too wide (or

    narrow). matrices: how many are used. gains: (path, growth of the gradient through it) in the order of computing. through: gradient at
    the first matrix's output against the last's. growth: size of the last matrix's input against the first's. similarity: cosine of rows
    before the head. loss: at the start. recurrent: plain recurrences that enlarge what they carry.
    """

    dead: tuple[str, ...]
    saturated: tuple[str, ...]
    feeding: tuple[str, ...]
    off_scale: dict[str, float]
    matrices: int
    gains: tuple[tuple[str, float], ...]
    through: float | None
    growth: float | None
    similarity: float | None
    loss: float
    recurrent: tuple[str, ...]

    @property
    def deep(self) -> bool:
        """Whether there is a depth to speak of."""
        return self.matrices >= DEEP

    @property
    def vanishes(self) -> bool:
        """Whether the gradient shrinks along the depth, or nothing of the input reaches the end."""
        lost = self.similarity is not None and self.similarity > SAME
        return self.deep and (lost or (self.through is not None and self.through < SHRINK))

    @property
    def explodes(self) -> bool:
        """Whether signal or gradient grow along the depth, or from place to place of a sequence."""
        if self.recurrent:
            return True
        up = self.through is not None and self.through > 70  # FAULTS.md's ratio
        return self.deep and (up or (self.growth is not None and (self.growth > 100 or not math.isfinite(self.growth))))

    @property
    def product(self) -> float:
        """The gains multiplied: what the chain of Jacobians does to the gradient."""
        return math.prod(gain for _, gain in self.gains)


def measure(scene: Scene) -> StartSigns:
    """Raises NotReplayable."""
    anatomy: Anatomy = Evidence(scene)["layers_start"]
    layers = [layer for layer in anatomy.layers if layer.output is not None and layer.output.is_floating_point()]
    matrices = [layer for layer in layers if _is_matrix(layer)]
    last = layers.index(matrices[-1]) if matrices else 0
    saturated, feeding = _saturated(layers[:last])
    grads = [layer.grad_out for layer in matrices if layer.grad_out is not None]
    through = grads[0] / grads[-1] if len(grads) > 1 and grads[-1] else None
    recurrent = _recurrent(layers)
    gains = tuple((layer.path, layer.gain) for layer in layers if layer.gain is not None)
    return StartSigns(
        tuple(layer.path for layer in layers[:last] if _is_dead(layer)),
        saturated,
        feeding,
        {**_off_scale(matrices), **recurrent},
        len(matrices),
        gains,
        through,
        _growth(matrices),
        _similarity(matrices[-1].input) if matrices and matrices[-1].input is not None else None,
        sum(anatomy.losses),
        tuple(recurrent),
    )


def _is_matrix(layer: Layer) -> bool:
    weight = getattr(layer.module, "weight", None)
    return isinstance(weight, Tensor) and weight.ndim >= 2 and not isinstance(layer.module, nn.Embedding)


def _is_dead(layer: Layer) -> bool:
    """A ReLU whose units are zero for every row, all but a few."""
    if not isinstance(layer.module, (nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.LeakyReLU)) and not _is_rectified(layer):
        return False
    assert layer.output is not None
    units = _by_unit(layer.output)
    return bool((units.amax(0) <= 1e-3 * max(float(units.abs().max()), 1e-3)).double().mean() >= DEAD) and float(units.amax()) < 1e-3


def _is_rectified(layer: Layer) -> bool:
    """A layer of the user's own whose values are never negative."""
    return not any(True for _ in layer.module.parameters()) and layer.output is not None and float(layer.output.min()) >= 0


def _by_unit(values: Tensor) -> Tensor:
    """(everything else, units): channels of pictures lie on axis 1."""
    if values.ndim >= 4:
        return values.detach().movedim(1, -1).reshape(-1, values.shape[1])
    return values.detach().reshape(-1, values.shape[-1]) if values.ndim else values.detach().reshape(1, 1)


def _saturated(layers: list[Layer]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    paths: list[str] = []
    feeding: list[str] = []
    for number, layer in enumerate(layers):
        if layer.output is not None and _at_ends(layer):
            paths.append(layer.path)
            feeding += [before.path for before in reversed(layers[:number]) if _is_matrix(before)][:1]
    return tuple(paths), tuple(dict.fromkeys(feeding))


def _at_ends(layer: Layer) -> bool:
    values: Any = layer.output
    if isinstance(layer.module, (nn.Dropout, nn.Identity, nn.Flatten, nn.Embedding, *NORMS)) or _is_matrix(layer) or values.numel() < 8:
        return False
    low, high = float(values.min()), float(values.max())
    if isinstance(layer.module, nn.Tanh) or (low >= -1 and low < -0.99 and high <= 1):
        return float((values.abs() > 0.99).double().mean()) > ENDS
    if isinstance(layer.module, nn.Sigmoid):
        return float(((values < 0.01) | (values > 0.99)).double().mean()) > ENDS
    return False


def _off_scale(matrices: list[Layer]) -> dict[str, float]:
    """Matrices far wider or narrower than any usual start, by their fan-in (He 2015 is the widest, PyTorch's own the narrowest)."""
    found: dict[str, float] = {}
    for layer in matrices:
        weight: Any = layer.module.weight
        if not weight.requires_grad or weight.numel() < 8:
            continue
        fan_in = max(1, weight[0].numel())
        spread = float(weight.detach().double().pow(2).mean().sqrt()) * math.sqrt(fan_in)
        if spread > OFF * math.sqrt(2.0) or 0 < spread < math.sqrt(1 / 3) / OFF:
            found[layer.path] = spread
    return found


def _recurrent(layers: list[Layer]) -> dict[str, float]:
    """Plain recurrences whose matrix enlarges: a spectral norm far above one is taken to the power of the sequence's length."""
    found: dict[str, float] = {}
    plain = [layer for layer in layers if isinstance(layer.module, (nn.RNN, nn.RNNCell))]
    for path, name, weight in ((layer.path, *named) for layer in plain for named in layer.module.named_parameters()):
        norm = float(torch.linalg.matrix_norm(weight.detach().double(), 2)) if name.startswith("weight_hh") else 0.0
        if norm > 1.5:  # PyTorch's own start lies near 1.15
            found[path] = norm
    return found


def _growth(matrices: list[Layer]) -> float | None:
    """Size of what the last matrix gives against what the first does (root mean squares)."""
    sizes = [float(layer.output.double().pow(2).mean().sqrt()) for layer in matrices if layer.output is not None]
    return sizes[-1] / sizes[0] if len(sizes) > 1 and sizes[0] else None


def _similarity(values: Tensor) -> float | None:
    """Mean cosine of rows with the first one: 1 where every input looks alike."""
    rows = values.detach().double().flatten(1) if values.ndim > 1 else None
    if rows is None or rows.shape[0] < 2 or not bool(rows.isfinite().all()):
        return None
    return float(torch.cosine_similarity(rows[1:65], rows[:1], dim=1).mean())


def gains_in_numbers(signs: StartSigns) -> dict[str, Any]:
    """The chain of gains for a finding's evidence: each layer's, their product, and the ratio that was measured end to end."""
    return {
        "gains": [[path, round(gain, 6)] for path, gain in signs.gains[:64]],
        "gain_product": float(f"{signs.product:.4g}"),
        "gradient_first_to_last": None if signs.through is None else float(f"{signs.through:.4g}"),
        "signal_growth": None if signs.growth is None else float(f"{signs.growth:.4g}"),
        "row_similarity": None if signs.similarity is None else round(signs.similarity, 6),
        "matrices": signs.matrices,
    }
