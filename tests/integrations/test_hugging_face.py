"""The doctor in real runs of the Hugging Face Trainer: five planted faults named, three healthy runs left in peace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

transformers = pytest.importorskip("transformers", reason="the Hugging Face Trainer is not installed")

from leadline.integrations import HFCallback  # noqa: E402
from leadline.record.finding import Finding  # noqa: E402


def sentences(rows: int = 384) -> list[dict[str, torch.Tensor]]:
    """Made-up sentences whose first word tells the class."""
    words = torch.randint(5, 50, (rows, 10), generator=torch.Generator().manual_seed(0))
    return [{"input_ids": w, "attention_mask": torch.ones_like(w), "labels": (w[0] > 27).long()} for w in words]


def encoder(**changes: Any) -> nn.Module:
    torch.manual_seed(0)
    sizes = {
        "vocab_size": 50,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "num_labels": 2,
    }
    return transformers.BertForSequenceClassification(transformers.BertConfig(**{**sizes, **changes}))


class Own(nn.Module):
    """A network of one's own that gives its own loss, as the Trainer wants it."""

    def __init__(self, loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], *, detached: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words, self.body, self.head = nn.Embedding(50, 32), nn.Linear(32, 32), nn.Linear(32, 2)
        self.loss, self.detached = loss, detached

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        hidden = F.relu(self.body(self.words(input_ids[:, 0])))
        logits = self.head(hidden.detach() if self.detached else hidden)
        return {"loss": self.loss(logits, labels), "logits": logits}


def trained(model: nn.Module, folder: Path, *, loss_log: list[Any] | None = None, **settings: Any) -> list[Finding]:
    """A run of 60 steps under the callback."""
    doctor = HFCallback(quiet=True)
    given: dict[str, Any] = {"learning_rate": 2e-3, "max_steps": 60, "per_device_train_batch_size": 32, "lr_scheduler_type": "constant"}
    arguments = transformers.TrainingArguments(
        output_dir=str(folder),
        use_cpu=True,
        save_strategy="no",
        logging_steps=10,
        disable_tqdm=True,
        report_to="none",
        **{**given, **settings},
    )
    trainer = transformers.Trainer(model=model, args=arguments, train_dataset=sentences(), callbacks=[doctor])  # type: ignore[arg-type]
    trainer.train()
    if loss_log is not None:
        loss_log += [row["loss"] for row in trainer.state.log_history if "loss" in row]
    return [finding for finding in doctor.findings if finding.severity != "note"]


def log_of_relu(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Minus infinity times zero, as soon as a unit is off."""
    return -(F.one_hot(labels, 2) * torch.log(F.relu(logits))).sum(1).mean()


FAULTS: dict[str, tuple[Callable[[], nn.Module], dict[str, Any]]] = {
    "O01": (encoder, {"learning_rate": 3.0, "max_grad_norm": 0.0}),
    "N01": (lambda: Own(log_of_relu), {}),
    "L01": (lambda: Own(lambda out, y: F.cross_entropy(out.softmax(1), y)), {}),
    "M10": (lambda: Own(F.cross_entropy, detached=True), {}),
    "M04": (lambda: zeroed(Own(F.cross_entropy)), {}),
}


def zeroed(model: nn.Module) -> nn.Module:
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    return model


@pytest.mark.parametrize("code", FAULTS)
def test_a_planted_fault_is_named_first(code: str, tmp_path: Path) -> None:
    make, settings = FAULTS[code]
    found = trained(make(), tmp_path, **settings)
    assert [finding.code for finding in found][:1] == [code]


@pytest.mark.parametrize(
    "settings", [{}, {"gradient_accumulation_steps": 2}, {"bf16": True, "warmup_steps": 20, "label_smoothing_factor": 0.1}]
)
def test_a_healthy_run_is_left_in_peace(settings: dict[str, Any], tmp_path: Path) -> None:
    assert trained(encoder(), tmp_path, **settings) == []


def test_the_trainers_own_nan_filter_hides_nothing(tmp_path: Path) -> None:
    logged: list[Any] = []
    found = trained(Own(log_of_relu), tmp_path, loss_log=logged, logging_nan_inf_filter=True)
    assert all(abs(float(loss)) < float("inf") for loss in logged)  # what the Trainer says of a run that is NaN throughout
    assert found[0].code == "N01"
    assert found[0].step == 0
