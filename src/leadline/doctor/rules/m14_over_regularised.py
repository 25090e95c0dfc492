"""M14: so much dropout, or so heavy a penalty on the weights, that the network cannot learn what it could."""

from __future__ import annotations

import math

import torch
from torch import nn

from leadline.doctor.bench import classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class OverRegularised(Rule):
    """Regularisation takes more than it gives: the training data itself is not learnt.

    What it sees: dropout of nearly a half or more, or weights that enter the loss directly; the training loss stays near a constant
    answer's; in eval mode recorded batches are answered badly; and a replay of a few steps without it, on other batches, goes further than
    the whole run.
    Why it hurts: with 95 % dropped, a step sees a twentieth of the network; a heavy penalty pulls every weight to zero.
    What to do: dropout of 0.1 to 0.5 (PyTorch's p is the share that is dropped), none on outputs; weight decay of 1e-4 to 1e-2 in AdamW.
    When it is wrong: dropout of a half that learns well is usual: silent where the loss in eval mode is good.
    """

    code, cause, title = "M14", "over_regularised", "Regularised too strongly"
    needs = ("regularised",)
    after = 50
    kind = "replay"
    explained_by = ("M03", "M04", "M05", "M06", "M01", "M02")

    def examine(self, evidence: Evidence) -> Finding | None:
        """A replay without it that beats the whole run."""
        found = evidence["regularised"]
        if found is None or not math.isfinite(found.trial.with_control.after):
            return None
        then, same = found.trial.with_control, found.trial.as_is
        level = found.trivial if found.trivial is not None else abs(same.before)
        rivals = [value for value in (same.after, found.now) if math.isfinite(value)]
        if found.now < 0.4 * level or then.after > min([*rivals, math.inf]) - 0.2 * level:
            return None
        what = f"dropout of {found.rate:g} ({found.where})" if found.kind == "dropout" else "a penalty on the weights in the loss"
        return self.found(
            f"{what} keeps the network from learning its own training data: in eval mode recorded batches stand at {found.now:.4g} after "
            f"{found.steps} steps; {found.trial.in_words} (eval mode, other batches)",
            control="dropout of 0.1 to 0.5 (p is the share dropped), none on outputs"
            if found.kind == "dropout"
            else "a far smaller penalty, or AdamW's weight_decay=0.01",
            step=0,
            where=found.where or None,
            evidence={"kind": found.kind, "p": found.rate, "eval_loss_now": found.now},
            probe=found.trial.to_dict(),
            set={"model.dropout": 0.1} if found.kind == "dropout" else {"train.optimizer.weight_decay": 0.01},
        )

    @classmethod
    def sick(cls) -> Case:
        """Keep and drop exchanged."""
        return watched(lambda: classifier(model=_dropped(0.97), steps=120), "p=0.97: the share to keep was given")

    @classmethod
    def well(cls) -> Case:
        """A half."""
        return watched(lambda: classifier(model=_dropped(0.5)), "dropout of a half, and it learns")


def _dropped(p: float) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Dropout(p), nn.Linear(48, 48), nn.ReLU(), nn.Dropout(p), nn.Linear(48, 3))
