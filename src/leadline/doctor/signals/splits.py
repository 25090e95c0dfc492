"""Whether validation rows stand in training: the same data set, the same rows, or near copies of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.signals.rows import Rows, flat, inner_dataset, labels_of, stored

COMPARED = 512  # validation rows whose nearest training row is sought
CLOSE = 0.25  # of the usual distance between training rows: nearer is a copy
MATERIAL = 0.04  # of the validation rows: official sets have a few copies


@dataclass(frozen=True)
class Splits:
    """same: "loader" (validation reads the training loader), "dataset" (another loader on the same data set), "indices" (parts that share
    row numbers), "" else. shared: share of the validation rows that stand in training, beyond what happens by chance in this data.
    copies: how they were found: "numbers", "exact", "near". declared: whether the user named the validation loader.
    """

    same: Literal["loader", "dataset", "indices", ""]
    shared: float
    copies: Literal["numbers", "exact", "near", ""]
    rows: int
    by_chance: float
    declared: bool
    passes: int = 1

    @property
    def answer(self) -> Literal["yes", "no"]:
        """Whether the split is clean."""
        return "no" if self.same in ("loader", "dataset") or self.shared > MATERIAL else "yes"

    @property
    def in_words(self) -> str:
        """What was compared, and what was found."""
        if self.same in ("loader", "dataset"):
            return "validation reads the training data itself"
        if self.answer == "no":
            how = {"numbers": "the same rows by number", "exact": "the same by content", "near": "near copies"}[self.copies]
            return f"{self.shared:.0%} of {self.rows} validation rows stand in training ({how})"
        return f"{self.rows} validation rows compared with the training rows: {self.shared:.1%} stand there"

    def to_dict(self) -> dict[str, Any]:
        """Plain fields."""
        return {
            "same": self.same,
            "shared": round(self.shared, 4),
            "copies": self.copies,
            "rows": self.rows,
            "by_chance": round(self.by_chance, 4),
        }


def measure(scene: Scene) -> Splits:
    """Raises NotExamined where no validation data was heard. Kept until twice as many rows were heard."""
    val = _val_loader(scene)
    key = _heard_rows(scene)
    known = scene.kept.get("splits_at")
    if known is not None and key < 2 * known[0] and not (scene.ended and key > known[0]):
        return known[1]
    found = _measured(scene, val)
    scene.kept["splits_at"] = (key, found)
    return found


def _measured(scene: Scene, val: Any) -> Splits:
    train = _train_loader(scene)
    declared = scene.val_loader is not None
    passes = sum(p.training_mode is not True for p in scene.heard.evals)
    if val is train and val is not None:
        return Splits("loader", 1.0, "numbers", _length(val), 0.0, declared, passes)
    mine, theirs = inner_dataset(train), inner_dataset(val)
    if mine[0] is not None and mine[0] is theirs[0]:
        return _by_numbers(mine[0], mine[1], theirs[1], declared=declared, passes=passes)
    return _by_content(scene, train, val, declared=declared)


def _train_loader(scene: Scene) -> Any:
    found = scene.heard.samples.get(scene.heard.train_loader or -1)
    return found.loader if found is not None else scene.loader


def _val_loader(scene: Scene) -> Any:
    """The loader of the validation data: the one that was named, else one that validation was heard to read."""
    if scene.val_loader is not None:
        return scene.val_loader
    train = scene.heard.train_loader
    others = [sample.loader for key, sample in scene.heard.samples.items() if key not in scene.heard.trained_on and sample.batches]
    if others:
        return others[0]
    reads = [loaders for loaders in (p.loaders for p in scene.heard.evals if p.training_mode is not True) if loaders]
    if train is not None and reads and all(loaders == [train] for loaders in reads) and _is_pass_of_its_own(scene, train):
        return scene.heard.samples[train].loader
    raise NotExamined("no validation batches were heard")


def _is_pass_of_its_own(scene: Scene, train: int) -> bool:
    """Whether validation began the training loader itself, and did not just look at the batch at hand."""
    trained = {step.loader for step in scene.heard.steps}
    begun = scene.heard.samples[train].begun
    batches = len(scene.heard.steps) / max(_batches(scene.heard.samples[train].loader), 1)
    return trained == {train} and begun > batches + 1


def _batches(loader: Any) -> int:
    try:
        return len(loader)
    except TypeError:
        return 1


def _length(loader: Any) -> int:
    try:
        return len(loader.dataset)
    except (AttributeError, TypeError):
        return 0


def _heard_rows(scene: Scene) -> int:
    return sum(sample.rows for sample in scene.heard.samples.values()) + 1


def _by_numbers(dataset: Any, mine: list[int] | None, theirs: list[int] | None, *, declared: bool, passes: int) -> Splits:
    try:
        size = len(dataset)
    except TypeError as problem:
        raise NotExamined("the training set has no length") from problem
    train = set(range(size) if mine is None else mine)
    val = set(range(size) if theirs is None else theirs)
    shared = len(train & val) / max(len(val), 1)
    same = "dataset" if shared > 0.98 and len(val) >= 0.5 * len(train) else "indices"
    return Splits(same, shared, "numbers", len(val), 0.0, declared, passes)


def _by_content(scene: Scene, train: Any, val: Any, *, declared: bool) -> Splits:
    a, b, pure = _tables(scene, train, val)
    if a.shape[1:] != b.shape[1:] or a.dtype != b.dtype or len(b) < 20 or len(a) < 20 or a[0].numel() < 2:
        raise NotExamined("training and validation rows are too few or not alike")
    keys_a, keys_b = _keys(a), _keys(b)
    known = set(keys_a)
    shared = sum(key in known for key in keys_b) / len(keys_b)
    within = max(1 - len(known) / len(keys_a) if pure else 0.0, 1 - len(set(keys_b)) / len(keys_b))
    expected = min(1.0, within * max(1.0, len(a) / len(b)))
    beyond = (shared - expected) / max(1 - expected, 1e-9) if expected < 0.5 else 0.0
    if beyond > MATERIAL or expected > MATERIAL or not a.is_floating_point():
        found = max(beyond, 0.0)
        return Splits("", found, "exact" if found > MATERIAL else "", len(b), expected, declared)
    near, usual = _near(a, b)
    near -= usual
    return Splits("", max(near, beyond, 0.0), "near" if near > MATERIAL and usual < 0.02 else "", len(b), usual, declared)


def _tables(scene: Scene, train: Any, val: Any) -> tuple[Tensor, Tensor, bool]:
    """Rows of both splits (input and target together where both are numbers alike), and whether no training row was drawn twice."""
    rows: Rows = Evidence(scene)["rows"]
    whole = stored(train), stored(val)
    if whole[0] is not None and whole[1] is not None and rows.heard == "loader":
        return whole[0][rows.places[0]], whole[1][rows.places[0]], True
    theirs: Rows = Evidence(scene)["val_rows"]
    pure = not getattr(getattr(train, "sampler", None), "replacement", False)
    return rows.x[_counts(rows)], theirs.x[_counts(theirs)], pure


def _counts(rows: Rows) -> Tensor:
    """Rows whose label counts: nodes of one graph stand in both splits, each known in one of them only."""
    labels = labels_of(rows.y)
    return torch.ones(len(rows.x), dtype=torch.bool) if labels is None else labels >= 0


def _keys(x: Tensor) -> list[int]:
    rows = x.reshape(len(x), -1)
    rows = rows[:, :: max(1, rows.shape[1] // 8192)].contiguous().numpy()
    return [hash(row.tobytes()) for row in rows]


def _near(a: Tensor, b: Tensor) -> tuple[float, float]:
    """How often a validation row's nearest training row is far nearer than usual, and how often that is so among training rows."""
    a, b = flat(a, 256)[:2048], flat(b, 256)
    b = b[torch.linspace(0, len(b) - 1, min(len(b), COMPARED)).long()]
    if not bool(torch.isfinite(a).all()) or not bool(torch.isfinite(b).all()):
        return 0.0, 0.0
    own = torch.cdist(a[:COMPARED], a)
    own[torch.arange(len(own)), torch.arange(len(own))] = torch.inf
    usual = own.amin(1)
    limit = CLOSE * float(usual.median())
    return float((torch.cdist(b, a).amin(1) < limit).float().mean()), float((usual < limit).float().mean())
