"""M08: layers in a Python list or dictionary, which parameters() does not give to the optimizer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from leadline.doctor.bench import classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class NotRegistered(Rule):
    """Parts of the network compute, and the loss hangs on their weights, but model.parameters() does not know them.

    What it sees: the graph of the loss ends at trainable tensors that lie in a list, tuple, dictionary, closure or plain attribute of the
    network, are none of its parameters, and are in no optimizer.
    Why it hurts: they keep their random start for ever, are not saved, not moved to a device, and not put into eval mode.
    What to do: nn.ModuleList, nn.ModuleDict, nn.Parameter, or give them to the optimizer and to the checkpoint by hand.
    When it is wrong: a teacher that is kept in a list on purpose, away from the optimizer, is not meant: no gradient reaches it.
    """

    code, cause, title = "M08", "submodule_not_registered", "Layers that parameters() does not know"
    needs = ("hidden_parts",)

    def examine(self, evidence: Evidence) -> Finding | None:
        """Any such tensor."""
        hidden = evidence["hidden_parts"]
        if not hidden.names:
            return None
        first, more = hidden.names[0], len(hidden.names) - 1
        beside = f" and {more} more" if more else ""
        return self.found(
            f"the loss depends on {first}{beside} ({hidden.share:.0%} of the weights in use), which model.parameters() does not give and "
            "no optimizer holds: they stay at their random start, and a checkpoint would lose them",
            control="keep the parts in nn.ModuleList, nn.ModuleDict or nn.Parameter, and build the optimizer after that",
            step=0,
            where=first,
            evidence={"tensors": list(hidden.names[:20]), "share_of_weights": round(hidden.share, 4)},
        )

    @classmethod
    def sick(cls) -> Case:
        """Hidden layers in a list."""
        return watched(lambda: classifier(model=_Listed()), "the hidden layers are in a Python list")

    @classmethod
    def well(cls) -> Case:
        """A teacher in a list, which no gradient reaches."""
        return watched(lambda: classifier(model=_Taught()), "a teacher is kept in a list so that it is not trained")


class _Listed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(8, 32), nn.Linear(32, 32)]
        self.head = nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x).relu()
        return self.head(x)


class _Taught(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(8, 32)
        self.head = nn.Linear(32, 3)
        self.teacher = [nn.Linear(8, 32)]

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            hint = self.teacher[0](x).relu()
        return self.head(self.body(x).relu() + 0.1 * hint)
