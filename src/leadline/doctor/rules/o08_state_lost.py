"""O08: training goes on, and the optimizer's state is gone."""

from __future__ import annotations

import copy

import torch

from leadline.doctor.bench import Bench, classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.state_lost import StateLost
from leadline.record.finding import Finding

RISE = 2.5  # a rate so many times the one before is not a schedule's next value


class StateLostAtResume(Rule):
    """The optimizer's state is lost in the middle of training.

    What it sees: An optimizer whose state was there after one step and is empty before the next; or a new, empty optimizer of the same
    kind that takes over the same parameters, together with a loss that jumps beyond its own spread or a learning rate that jumps up.

    Why it hurts: Adam's first steps after it are of full size in every coordinate whatever the gradient is, momentum begins at zero,
    and a schedule that starts again brings the first, large rate to weights that are nearly finished.

    What to do: Save and load `optimizer.state_dict()` and `scheduler.state_dict()` with the weights, and go on with the same objects.

    When it is wrong: A new optimizer for a new phase, with other parameters or a lower rate, is a choice. State emptied on purpose (a warm
    restart) looks the same as state lost: unless the loss jumps, this is a suspicion only. A resume in a new process cannot be seen from
    inside.
    """

    code, cause, title = "O08", "state_lost_at_resume", "the optimizer's state is lost"
    needs = ("state_lost",)
    after = 10
    kind = "lead"
    explained_by = ("T05",)

    def examine(self, evidence: Evidence) -> Finding | None:
        """That the state is gone is a fact; that it hurt is the loss's to say."""
        lost: StateLost = evidence["state_lost"]
        rose = lost.rate_after > RISE * lost.rate_before
        if lost.how == "rebuilt" and not (lost.jumped and lost.rate_after >= lost.rate_before):
            return None
        what = "the optimizer's state was emptied" if lost.how == "emptied" else "a new optimizer with empty state took over"
        rate = f", and its rate jumped {lost.rate_before:.3g} -> {lost.rate_after:.3g}" if rose else ""
        loss = f"; the loss jumped {lost.loss_before:.4g} -> {lost.loss_after:.4g}" if lost.jumped else ""
        return self.found(
            f"before step {lost.step} {what}{rate}{loss}",
            control="save and load optimizer.state_dict() and scheduler.state_dict() together with the weights",
            severity="error" if rose and lost.jumped else "warning",
            confidence="confirmed" if lost.jumped else "suspected",
            step=lost.step,
            where="optimizer",
            evidence={"lr": [lost.rate_before, lost.rate_after], "loss": [lost.loss_before, lost.loss_after]},
        )

    @classmethod
    def sick(cls) -> Case:
        """The state is emptied in the middle, and the rate is the script's default again."""
        epochs = iter(range(1_000_000))

        def new_epoch(bench: Bench) -> None:
            if next(epochs) == 3:
                bench.optimizer.state.clear()
                bench.optimizer.param_groups[0]["lr"] = 0.3

        return watched(lambda: classifier(new_epoch=new_epoch), "a resume with weights only, at ten times the rate")

    @classmethod
    def well(cls) -> Case:
        """The state is saved and loaded with the weights."""

        def new_epoch(bench: Bench) -> None:
            kept = copy.deepcopy((bench.model.state_dict(), bench.optimizer.state_dict()))
            bench.model.load_state_dict(kept[0])
            bench.optimizer = torch.optim.Adam(bench.model.parameters(), lr=1e-2)
            bench.optimizer.load_state_dict(kept[1])

        return watched(lambda: classifier(new_epoch=new_epoch), "each epoch resumes from a whole checkpoint, optimizer and all")
