"""The doctor under Lightning: `Trainer(callbacks=[LightningCallback()])`."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from leadline.doctor.watch import Watch, watch
from leadline.record.finding import Finding


class LightningCallback(Callback):
    """Watches a LightningModule from its first step to its last, with automatic and with manual optimisation.

    stop_on: codes or severities ("error") on which it asks the Trainer to stop. settings: of `leadline.watch` (budget, quiet, ...).
    """

    def __init__(self, *, stop_on: tuple[str, ...] = (), **settings: Any) -> None:
        self.stop_on, self.settings = stop_on, settings
        self.doctor: Watch | None = None

    @property
    def findings(self) -> list[Finding]:
        """Worst first; empty before training begins."""
        return self.doctor.findings if self.doctor is not None else []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen to the module and to the optimizers that it configured."""
        self.doctor = watch(pl_module, list(trainer.optimizers), loader=trainer.train_dataloader, **self.settings).start()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Ask the Trainer to stop where the user wanted that."""
        if any(word in self.stop_on for finding in self.findings for word in (finding.code, finding.severity)):
            trainer.should_stop = True

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen no longer, and say what was found."""
        if self.doctor is not None:
            self.doctor.stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Training broke off: torch is put back as it was."""
        self.on_train_end(trainer, pl_module)
