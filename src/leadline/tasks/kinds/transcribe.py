"""Write down what is said in a sound.

Axes: B batch, T frames, C classes, L characters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np

from leadline.base.errors import InputError
from leadline.record.batch import Batch
from leadline.record.facts import Facts, Guess
from leadline.record.ports import Frames, PlaceClasses, Port
from leadline.tasks.task import NO_WISHES, Loss, Task, Wishes

if TYPE_CHECKING:
    import torch

UNKNOWN = "\ufffd"
SPECIAL = 2  # class 0 is CTC's blank, 1 a character that training never showed


@final
class Transcribe(Task):
    """The text that is said in each sound, character by character, learnt with CTC from whole transcripts: nobody marks when what is said.

    Data: a table of file names and transcripts beside short sounds (sentences, not hours). Frames of log-mel levels go in, a class for each
    frame comes out, and the best path is read off greedily. The characters are those of the training transcripts, as they are written
    there. Scores: word and character error rate over all sounds, shares of the words and characters that are to be changed.
    """

    name = "transcribe"
    data = "audio"
    takes = (Frames,)
    prepares = "frames"
    learns = "text"
    baselines: ClassVar[tuple[str, ...]] = ()
    model = "lstm"
    metrics = ("wer", "cer")
    best = ("cer", "min")
    remedy = "a CSV of file names and transcripts beside the sounds: data.labels=FILE.csv"
    loss_name = "ctc"

    def __init__(self, characters: tuple[str, ...], *, frames: int) -> None:
        self.characters, self.frames = characters, frames
        self.gives: Port = PlaceClasses(SPECIAL + len(characters))
        self._codes = {character: SPECIAL + code for code, character in enumerate(characters)}

    @classmethod
    def guess(cls, facts: Facts) -> Guess | None:
        if facts.kind != "audio" or facts.target_kind != "text":
            return None
        return Guess(f"task {cls.name}", f"sounds with texts in '{facts.target}'", "task=classify_audio")

    @classmethod
    def bind(cls, facts: Facts, train_targets: np.ndarray, wishes: Wishes = NO_WISHES) -> Self:
        if facts.target_kind != "text":
            found = "no target" if facts.target_kind is None else f"a target of {facts.target_kind}"
            raise InputError("LL014", f"task '{cls.name}' needs transcripts, and {facts.name} has {found}", where="data", help=cls.remedy)
        if wishes.loss not in ("auto", "ctc"):
            raise InputError(
                "LL022", f"train.loss = {wishes.loss!r}: transcripts are learnt with ctc", where="train", help="leave train.loss out"
            )
        texts = [_tidy(text) for text in train_targets]
        characters = tuple(sorted(set("".join(texts))))
        if not characters:
            raise InputError("LL018", "no training transcript holds a character", where="data", help=cls.remedy)
        frames = wishes.takes.length if isinstance(wishes.takes, Frames) else max(map(len, texts))
        return cls(characters, frames=frames)

    def encode(self, targets: np.ndarray) -> np.ndarray:
        """(N, L) int64 classes of the characters, -1 behind the end of each text."""
        texts = [_tidy(text) for text in targets]
        codes = np.full((len(texts), max(map(len, texts), default=1)), -1, np.int64)
        for row, text in zip(codes, texts, strict=True):
            row[: len(text)] = [self._codes.get(character, 1) for character in text]
        return codes

    def losses(self, model: torch.nn.Module, batch: Batch) -> Iterator[Loss]:
        """One loss: the mean over characters, so that it does not depend on how long the sounds of a batch are."""
        from leadline.tasks import ctc

        each = ctc.loss(model(*batch.inputs), batch.inputs[1], batch.target)
        counts = (batch.target != ctc.NOTHING).sum().clamp(min=1)
        total = each.sum() if batch.weight is None else (each * batch.weight).sum()
        yield Loss(total / counts, counts)

    def keep(self, outputs: torch.Tensor, batch: Batch) -> torch.Tensor:
        """(B, 2 + frames + L): loss in nats, number of characters, the classes written, the right ones; -1 fills up."""
        import torch
        import torch.nn.functional as F

        from leadline.tasks import ctc

        written = ctc.greedy(outputs, batch.inputs[1])
        written = F.pad(written, (0, self.frames - written.shape[1]), value=ctc.NOTHING).float()
        if batch.target.ndim == 1:  # sounds without transcripts
            return torch.cat([torch.zeros_like(written[:, :2]), written], dim=1)
        own = ctc.loss(outputs, batch.inputs[1], batch.target)[:, None]
        counts = (batch.target != ctc.NOTHING).sum(dim=1, keepdim=True)
        return torch.cat([own, counts.float(), written, batch.target.float()], dim=1)

    def keep_target(self, batch: Batch) -> torch.Tensor:
        return batch.index

    def each_loss(self, kept: torch.Tensor, target: torch.Tensor) -> np.ndarray:
        return (kept[:, 0].double() / kept[:, 1].double().clamp(min=1)).numpy()

    def predictions(self, outputs: torch.Tensor) -> dict[str, np.ndarray]:
        """{"texts": (N, 2) what was written and what was right, "" where that is not known}."""
        codes = outputs[:, 2:].long().cpu().numpy()
        pairs = [[_read(part, self.characters) for part in (row[: self.frames], row[self.frames :])] for row in codes]
        return {"texts": np.array(pairs, dtype=object).reshape(len(pairs), 2)}

    def answers(self, predictions: dict[str, np.ndarray]) -> list[dict[str, Any]]:
        return [{"text": str(written)} for written in predictions["texts"][:, 0]]

    def to_dict(self) -> dict[str, Any]:
        return {"task": self.name, "characters": list(self.characters), "frames": self.frames}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        return cls(tuple(fields["characters"]), frames=int(fields["frames"]))


def _tidy(text: Any) -> str:
    """The transcript with single spaces."""
    return " ".join(str(text).split())


def _read(codes: np.ndarray, characters: tuple[str, ...]) -> str:
    """The characters of a row of classes, up to its end."""
    return "".join(UNKNOWN if code < SPECIAL else characters[code - SPECIAL] for code in codes.tolist() if code >= 0)
