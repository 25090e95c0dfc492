"""A tag for each word: names, parts of speech."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np

from leadline.base.errors import InputError
from leadline.record.batch import Batch
from leadline.record.facts import Facts, Guess
from leadline.record.ports import PlaceClasses, Port, Tokens
from leadline.tasks.task import NO_WISHES, Loss, Task, Wishes

if TYPE_CHECKING:
    import torch

NOT_ASKED = -100


@final
class TagTokens(Task):
    """Each word of a sentence gets one of several tags, such as B-PER, I-PER and O for names of people; learnt with cross-entropy.

    Data: files of one word a line with its tag (CoNLL). A word's tag is asked for at its first token. Scores: F1 of whole names (a name
    counts only when its words and its kind are right), then the share of right tags. `model=transformers/...` brings a language.
    """

    name = "tag_tokens"
    data = "text"
    takes = (Tokens,)
    prepares = "words"
    learns = "tags"
    metrics = ("entity_f1", "entity_precision", "entity_recall", "tag_accuracy")
    best = ("entity_f1", "max")
    baselines = ()
    model = "lstm"
    loss_name = "cross_entropy"
    remedy = "give a file of one word and its tag a line"

    def __init__(self, tags: tuple[str, ...], length: int) -> None:
        self.tags, self.length = tags, length
        self.gives: Port = PlaceClasses(len(tags))

    @classmethod
    def guess(cls, facts: Facts) -> Guess | None:
        if facts.kind != "text" or facts.target_kind != "tags":
            return None
        return Guess(f"task {cls.name}", f"words with {len(facts.classes)} tags", "task=NAME (leadline list tasks)")

    @classmethod
    def bind(cls, facts: Facts, train_targets: np.ndarray, wishes: Wishes = NO_WISHES) -> Self:
        if facts.target_kind != "tags":
            text = f"task '{cls.name}' needs a tag for each word, and {facts.name} has none"
            raise InputError("LL014", text, where="data", help=cls.remedy)
        return cls(facts.classes, wishes.takes.length if isinstance(wishes.takes, Tokens) else 0)

    def encode(self, targets: np.ndarray) -> np.ndarray:
        """(N,) zeros: the tags lie in the prepared examples, at the tokens of their words."""
        return np.zeros(len(targets), np.int64)

    def losses(self, model: torch.nn.Module, batch: Batch) -> Iterator[Loss]:
        from torch.nn import functional

        logits = model(*batch.inputs)
        asked = (batch.target != NOT_ASKED).sum()
        total = functional.cross_entropy(logits.flatten(0, 1).float(), batch.target.flatten(), ignore_index=NOT_ASKED, reduction="sum")
        yield Loss(total / asked.clamp(min=1), asked)

    def keep(self, outputs: torch.Tensor, batch: Batch) -> torch.Tensor:
        """(B, 2 + 2 * length): loss and number of words, then the tags said and true, word by word, -1 behind the last."""
        import torch
        from torch.nn import functional

        asked = batch.target != NOT_ASKED
        each = functional.cross_entropy(outputs.transpose(1, 2).float(), batch.target, ignore_index=NOT_ASKED, reduction="none")
        order = (~asked).int().argsort(dim=1, stable=True)  # words first, in their order
        said = torch.where(asked, outputs.argmax(-1), -1).gather(1, order)
        true = torch.where(asked, batch.target, -1).gather(1, order)
        room = self.length - said.shape[1]
        said, true = (functional.pad(part, (0, room), value=-1).float() for part in (said, true))
        return torch.cat([each.sum(1, keepdim=True), asked.sum(1, keepdim=True).float(), said, true], dim=1)

    def keep_target(self, batch: Batch) -> torch.Tensor:
        return batch.index

    def each_loss(self, kept: torch.Tensor, target: torch.Tensor) -> np.ndarray:
        return (kept[:, 0].double() / kept[:, 1].double().clamp(min=1)).numpy()

    def predictions(self, outputs: torch.Tensor) -> dict[str, np.ndarray]:
        rows = outputs.numpy().astype(np.int64)[:, 2:]
        said, true = rows[:, : rows.shape[1] // 2], rows[:, rows.shape[1] // 2 :]
        found = np.empty((len(rows), 2), object)
        for place in range(len(rows)):
            for side, codes in enumerate((said[place], true[place])):
                found[place, side] = tuple(self.tags[code] for code in codes[codes >= 0])
        return {"tags": found}

    def answers(self, predictions: dict[str, np.ndarray]) -> list[dict[str, Any]]:
        return [{"tags": list(said)} for said, _ in predictions["tags"]]

    def to_dict(self) -> dict[str, Any]:
        return {"task": self.name, "tags": list(self.tags), "length": self.length}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        return cls(tuple(fields["tags"]), int(fields["length"]))
