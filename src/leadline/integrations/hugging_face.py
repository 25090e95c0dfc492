"""The doctor under the Hugging Face Trainer: `Trainer(..., callbacks=[HFCallback()])`."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from leadline.doctor.watch import Watch, watch
from leadline.record.finding import Finding


class HFCallback(TrainerCallback):
    """Watches a Trainer from its first step to its last. `findings` are there while it trains and after.

    It hears the losses where the backward pass begins, so the Trainer's own NaN filter (`logging_nan_inf_filter`) hides nothing from it.
    stop_on: codes or severities ("error") on which it asks the Trainer to stop. settings: of `leadline.watch` (budget, quiet, ...).
    """

    def __init__(self, *, stop_on: tuple[str, ...] = (), **settings: Any) -> None:
        self.stop_on, self.settings = stop_on, settings
        self.doctor: Watch | None = None

    @property
    def findings(self) -> list[Finding]:
        """Worst first; empty before training begins."""
        return self.doctor.findings if self.doctor is not None else []

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Listen to the model and optimizer that the Trainer made."""
        loaders = {"loader": kwargs.get("train_dataloader"), "val_loader": kwargs.get("eval_dataloader")}
        self.doctor = watch(kwargs["model"], kwargs["optimizer"], **loaders, **self.settings)
        self.doctor.start()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Ask the Trainer to stop where the user wanted that."""
        if any(word in self.stop_on for finding in self.findings for word in (finding.code, finding.severity)):
            control.should_training_stop = True

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Listen no longer, and say what was found."""
        if self.doctor is not None:
            self.doctor.stop()
