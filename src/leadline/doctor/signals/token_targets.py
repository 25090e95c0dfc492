"""How the targets of a token model stand to its inputs: the next token, the token itself, or another row's."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from leadline.doctor.anatomy import in_eval
from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.signals.pair import Pair
from leadline.doctor.signals.rows import Rows, stored
from leadline.doctor.tape import flatten


@dataclass(frozen=True)
class TokenTargets:
    """own, next: share of targets that are the input at their place, or the one after it. causal: whether answers hang on earlier inputs
    only
    (None: not asked). elsewhere: share of rows whose targets are the next tokens of another row: `shift` places away (0: anywhere).
    """

    own: float
    next: float
    causal: bool | None
    elsewhere: float
    shift: int
    rows: int


def measure(scene: Scene) -> TokenTargets:
    """Raises NotExamined where inputs are not rows of tokens with a target each."""
    if "token_targets" not in scene.kept:
        scene.kept["token_targets"] = _measured(scene)
    return scene.kept["token_targets"]


def _measured(scene: Scene) -> TokenTargets:
    pair: Pair = Evidence(scene)["pair"]
    x = next((t.cpu() for t in scene.last.inputs if t.ndim == 2 and not t.is_floating_point()), None)
    if x is None or pair.kind != "classes" or pair.targets.numel() != x.numel() or x.shape[1] < 6 or len(x.unique()) < 4:
        raise NotExamined("the targets are not one a token")
    y = pair.targets.reshape(x.shape)
    own, following = float((y == x).float().mean()), float((y[:, :-1] == x[:, 1:]).float().mean())
    causal = _is_causal(scene, x) if own > 0.99 else None
    shift, share = _elsewhere(scene) if following < 0.5 and own < 0.5 else (0, 0.0)
    return TokenTargets(own, following, causal, share, shift, len(x))


def _is_causal(scene: Scene, x: Tensor) -> bool | None:
    """Whether a change in the middle of a row leaves the answers before it alone, and reaches those after it."""
    twin = scene.lab.now()
    call = next((entry for entry in scene.last.script.calls if entry.module == ""), None)
    if call is None or len(scene.last.inputs) != 1:
        return None
    middle = x.shape[1] // 2
    other = x.clone()
    other[:, middle] = x[:, middle].roll(1) if bool((x[:, middle] != x[0, middle]).any()) else x.max() + x.min() - x[:, middle]
    place = next(p.device for p in twin.model.parameters())
    with in_eval(twin) as model:
        a, b = (_answers(model(rows.to(place)), x.shape) for rows in (x, other))
    if a is None or b is None:
        return None
    moved = (a - b).abs().flatten(2).amax(2).amax(0)
    return float(moved[:middle].max()) <= 1e-5 * float(a.abs().max())


def _answers(result: object, shape: torch.Size) -> Tensor | None:
    leaves = [leaf for leaf in flatten(result)[0] if isinstance(leaf, Tensor) and leaf.ndim == 3]
    return next((leaf for leaf in leaves if leaf.shape[:2] == shape), None)


def _elsewhere(scene: Scene) -> tuple[int, float]:
    """How far off the row is whose next tokens are the targets (0: no one distance), and for what share of the rows there is one."""
    rows: Rows = Evidence(scene)["rows"]
    whole = stored(scene.sample.loader) if rows.heard == "loader" and rows.places[1] is not None else None
    if whole is None or rows.places[1] is None:
        return 0, 0.0
    x, y = whole[rows.places[0]], whole[rows.places[1]]
    if x.shape != y.shape or x.ndim != 2 or len(x) < 8:
        return 0, 0.0
    shares = {s: float((y.roll(s, 0)[3:-3, :-1] == x[3:-3, 1:]).float().mean()) for s in (1, -1, 2, -2, 3, -3)}
    best = max(shares, key=lambda s: shares[s])
    if shares[best] > 0.95:
        return best, shares[best]
    texts = {row.tobytes() for row in x[:, 1:].contiguous().numpy()}
    found = sum(row.tobytes() in texts for row in y[:, :-1].contiguous().numpy())
    return 0, found / len(y)
