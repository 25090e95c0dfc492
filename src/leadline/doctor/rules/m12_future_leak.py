"""M12: outputs that shall tell the next element already see it: the causal mask is missing or off by one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from leadline.doctor.bench import Bench, classifier, loader, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class FutureLeak(Rule):
    """A network that is trained to tell the next element can see that element among its inputs.

    What it sees: the targets are the inputs shifted by one; on a copy in eval mode later inputs are exchanged, and outputs before change.
    Why it hurts: the training loss falls by copying; when the future is not there (generation, real use) nothing was learnt.
    What to do: is_causal=True or a mask that hides every later place (torch.triu(ones, diagonal=1)); no bidirectional recurrence; padding
    of convolutions on the left only; no mean over all places.
    When it is wrong: masked-word models and taggers are not asked for the next element, and the rule does not ask them.
    """

    code, cause, title = "M12", "future_leak", "The network sees what it shall predict"
    needs = ("future",)

    def examine(self, evidence: Evidence) -> Finding | None:
        """Any earlier output that counts in the loss depends on later inputs."""
        found = evidence["future"]
        if found.ahead is None or found.seen == 0:
            return None
        return self.found(
            f"the targets are the inputs shifted by one, and outputs change with inputs up to {found.ahead} place(s) "
            f"later ({found.seen:.0%} of the earlier places of {found.places} do): the network can copy the answer",
            control="mask every later place: is_causal=True, or torch.triu(ones, diagonal=1); no bidirectional layers, no mean over places",
            step=0,
            evidence={"places": found.places, "earlier_places_changed": round(found.seen, 4), "strength": round(found.strength, 6)},
        )

    @classmethod
    def sick(cls) -> Case:
        """A bidirectional language model."""
        return watched(lambda: _letters(_Reader(both=True)), "a bidirectional GRU shall tell the next token")

    @classmethod
    def well(cls) -> Case:
        """The same, one way."""
        return watched(lambda: _letters(_Reader(both=False)), "a GRU tells the next token")


def _letters(model: nn.Module) -> Bench:
    random = torch.Generator().manual_seed(0)
    start = torch.randint(7, (256, 1), generator=random)
    step = torch.randint(1, 3, (256, 1), generator=random)
    tokens_NT = (start + step * torch.arange(13)) % 7
    return classifier(model=model, loss_fn=_by_token, loader=loader(tokens_NT[:, :-1], tokens_NT[:, 1:]), val_loader=None)


def _by_token(logits_BTV: Tensor, tokens_BT: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits_BTV.flatten(0, 1), tokens_BT.flatten())


class _Reader(nn.Module):
    def __init__(self, *, both: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(7, 8)
        self.body = nn.GRU(8, 16, batch_first=True, bidirectional=both)
        self.head = nn.Linear(32 if both else 16, 7)

    def forward(self, tokens_BT: Tensor) -> Tensor:
        return self.head(self.body(self.embed(tokens_BT))[0])
