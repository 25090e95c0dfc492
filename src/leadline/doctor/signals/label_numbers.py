"""Whether validation counts the classes as training does: the classes of each validation row's nearest training rows, against its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.signals.rows import Rows, flat, labels_of

KEEP = True  # measured when validation data is first heard; the numbering does not change later
NEAREST = 512  # validation rows asked


@dataclass(frozen=True)
class LabelNumbers:
    """table: for each training class the validation class that its neighbours carry, where that is plain. same: how often neighbours agree
    as numbered; renumbered: how often they would agree under the table. is_other: whether the table is another numbering.
    """

    table: dict[int, int]
    same: float
    renumbered: float
    rows: int

    @property
    def is_other(self) -> bool:
        """A one-to-one table that moves nearly every class, and explains what the given numbers do not."""
        moved = sum(a != b for a, b in self.table.items())
        one_to_one = len(set(self.table.values())) == len(self.table)
        return one_to_one and moved >= max(2, 0.6 * len(self.table)) and self.renumbered > 0.6 and self.renumbered > self.same + 0.4


def measure(scene: Scene) -> LabelNumbers:
    """Raises NotExamined."""
    evidence = Evidence(scene)
    rows: Rows = evidence["rows"]
    val: Rows = evidence["val_rows"]
    train, test = labels_of(rows.y), labels_of(val.y)
    if train is None or test is None or rows.x.shape[1:] != val.x.shape[1:] or len(test) < 40 or len(train) < 40:
        raise NotExamined("training and validation are not rows with a class each")
    if train.max() == train.min() or not rows.x.is_floating_point():
        raise NotExamined("the rows cannot be compared by distance")
    count = min(len(val.x), NEAREST)
    a, b = flat(rows.x, 512), flat(val.x[:count], 512)
    nearest = train[torch.cdist(b, a).argmin(1)]
    mine = test[:count]
    table: dict[int, int] = {}
    for number in nearest.unique().tolist():
        values, counts = mine[nearest == number].unique(return_counts=True)
        table[number] = int(values[counts.argmax()])
    renumbered = torch.tensor([table[n] for n in nearest.tolist()])
    return LabelNumbers(table, float((nearest == mine).float().mean()), float((renumbered == mine).float().mean()), count)
