"""The doctor in real runs of Lightning: five planted faults named, three healthy runs left in peace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

lightning = pytest.importorskip("lightning", reason="Lightning is not installed")

from leadline.doctor.bench import blobs, loader  # noqa: E402
from leadline.integrations import LightningCallback  # noqa: E402
from leadline.record.finding import Finding  # noqa: E402


class Module(lightning.LightningModule):
    """A small classifier. manual: its own optimisation, without zero_grad when `forgets`."""

    def __init__(
        self, *, net: nn.Module | None = None, loss: Any = F.cross_entropy, lr: float = 1e-2, manual: bool = False, forgets: bool = False
    ) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = net or nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
        self.loss, self.lr, self.forgets = loss, lr, forgets
        self.automatic_optimization = not manual

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        loss = self.loss(self.net(batch[0]), batch[1])
        if not self.automatic_optimization:
            optimizer: Any = self.optimizers()
            if not self.forgets:
                optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
        return loss

    def validation_step(self, batch: Any, index: int) -> None:
        self.loss(self.net(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def trained(module: Any, folder: Path, **settings: Any) -> list[Finding]:
    """Six epochs under the callback."""
    x, y = blobs()
    doctor = LightningCallback(quiet=True)
    trainer = lightning.Trainer(
        max_epochs=6, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        default_root_dir=folder, callbacks=[doctor], **settings,
    )  # fmt: skip
    trainer.fit(module, loader(x[:384], y[:384]), loader(x[384:], y[384:], shuffle=False))
    return [finding for finding in doctor.findings if finding.severity != "note"]


def zeroed() -> nn.Module:
    net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
    for parameter in net.parameters():
        nn.init.zeros_(parameter)
    return net


def against_numbers(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return ((out[:, :1] - y.float()) ** 2).mean()


FAULTS: dict[str, Callable[[], Any]] = {
    "T01": lambda: Module(manual=True, forgets=True),
    "O01": lambda: Module(lr=30.0),
    "L01": lambda: Module(net=nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3), nn.Softmax(dim=1))),
    "L04": lambda: Module(loss=against_numbers),
    "M04": lambda: Module(net=zeroed()),
}


@pytest.mark.parametrize("code", FAULTS)
@pytest.mark.filterwarnings("ignore")  # Lightning has opinions on loader workers and on versions of Python
def test_a_planted_fault_is_named_first(code: str, tmp_path: Path) -> None:
    found = trained(FAULTS[code](), tmp_path)
    assert [finding.code for finding in found][:1] == [code]


HEALTHY: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "plain": (Module, {}),
    "accumulated and clipped": (Module, {"accumulate_grad_batches": 2, "gradient_clip_val": 0.5}),
    "manual": (lambda: Module(manual=True), {}),
}


@pytest.mark.parametrize("name", HEALTHY)
@pytest.mark.filterwarnings("ignore")
def test_a_healthy_run_is_left_in_peace(name: str, tmp_path: Path) -> None:
    make, settings = HEALTHY[name]
    assert trained(make(), tmp_path, **settings) == []
