"""A recorded step done again on a copy gives the same gradients, bit for bit, whatever way the step was written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from leadline.doctor.tape import NotReplayable
from leadline.doctor.twin import aside
from leadline.doctor.watch import Watch

X = torch.randn(48, 6, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()


def network(**_: Any) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.3), nn.ReLU(), nn.Linear(8, 2))


class Tied(nn.Module):
    """Encoder and decoder share one weight; gives a dict."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner = nn.Linear(6, 6)
        self.outer = nn.Linear(6, 6)
        self.outer.weight = self.inner.weight

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        hidden = self.inner(x).tanh()
        return {"logits": self.outer(hidden)[:, :2], "hidden": hidden}


class OwnLoss(nn.Module):
    """Computes its own loss, and gives a tuple, as Hugging Face models may."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Linear(6, 2)

    def forward(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.body(x)
        return nn.functional.cross_entropy(logits, labels), logits


Step = Callable[[nn.Module, Tensor, Tensor], None]


def plain(model: nn.Module, x: Tensor, y: Tensor) -> None:
    nn.functional.cross_entropy(model(x), y).backward()


def by_hand(model: nn.Module, x: Tensor, y: Tensor) -> None:
    shares = model(x).softmax(1)
    (-(shares[torch.arange(len(y)), y] + 1e-8).log().sum() / len(y)).backward()


def in_place(model: nn.Module, x: Tensor, y: Tensor) -> None:
    noisy = x.clone()
    noisy += 0.1 * torch.randn_like(noisy)
    noisy[:, 0] = 0.0
    noisy.mul_(2.0)
    nn.functional.cross_entropy(model(noisy), y).backward()


def accumulated(model: nn.Module, x: Tensor, y: Tensor) -> None:
    for part in range(3):
        rows = slice(part * 16, part * 16 + 16)
        (nn.functional.cross_entropy(model(x[rows]), y[rows]) / 3).backward()


def in_bf16(model: nn.Module, x: Tensor, y: Tensor) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()


def from_dict(model: nn.Module, x: Tensor, y: Tensor) -> None:
    out = model(x)
    (nn.functional.cross_entropy(out["logits"], y) + 0.01 * out["hidden"].pow(2).mean()).backward()


def own_loss(model: nn.Module, x: Tensor, y: Tensor) -> None:
    model(x, labels=y)[0].backward()


def by_parts(model: nn.Module, x: Tensor, y: Tensor) -> None:
    hidden = model[0](x)  # type: ignore[index]
    nn.functional.cross_entropy(model[3](hidden.relu()), y).backward()  # type: ignore[index]


def mixup(model: nn.Module, x: Tensor, y: Tensor) -> None:
    share, order = torch.rand(()).item(), torch.randperm(len(x))
    out = model(share * x + (1 - share) * x[order])
    (share * nn.functional.cross_entropy(out, y) + (1 - share) * nn.functional.cross_entropy(out, y[order])).backward()


def two_losses(model: nn.Module, x: Tensor, y: Tensor) -> None:
    out = model(x)
    first = nn.functional.cross_entropy(out, y)
    first.backward(retain_graph=True)
    out.pow(2).mean().mul(0.1).backward()


def penalty_on_weights(model: nn.Module, x: Tensor, y: Tensor) -> None:
    loss = nn.functional.cross_entropy(model(x), y)
    (loss + 1e-3 * sum(p.pow(2).sum() for p in model.parameters())).backward()


STEPS: list[tuple[Step, Callable[[], nn.Module]]] = [
    (plain, network), (by_hand, network), (in_place, network), (accumulated, network), (in_bf16, network), (from_dict, Tied),
    (own_loss, OwnLoss), (by_parts, network), (mixup, network), (two_losses, network), (penalty_on_weights, network),
]  # fmt: skip


@pytest.mark.parametrize(("step", "make"), STEPS, ids=[step.__name__ for step, _ in STEPS])
def test_a_step_done_again_on_the_start_gives_the_same_gradients_bit_for_bit(step: Step, make: Callable[[], nn.Module]) -> None:
    model = make()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Watch(model, optimizer, quiet=True) as doctor:
        optimizer.zero_grad()
        step(model, X, Y)
        grads = [p.grad.clone() for p in model.parameters() if p.grad is not None]
        optimizer.step()
        assert doctor.scene is not None
        with aside([model]):
            twin = doctor.scene.lab.at_start()
            twin.gradients(doctor.scene.first)
    again = [p.grad for p in twin.model.parameters() if p.grad is not None]
    assert len(again) == len(grads) > 0
    assert all(torch.equal(a, b) for a, b in zip(grads, again, strict=True))


def test_a_step_done_again_moves_a_copy_to_where_the_original_went() -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    with Watch(model, optimizer, quiet=True) as doctor:
        for _ in range(3):
            optimizer.zero_grad()
            plain(model, X, Y)
            nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            optimizer.step()
        assert doctor.scene is not None
        with aside([model]):
            twin = doctor.scene.lab.at_start()
            for moment in doctor.scene.moments[:3]:
                twin.step(moment)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), twin.model.parameters(), strict=True))


def test_a_scaled_step_is_recorded_with_unscaled_norms_and_done_again_unscaled() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    with Watch(model, optimizer, quiet=True) as doctor:
        optimizer.zero_grad()
        scaler.scale(nn.functional.cross_entropy(model(X), Y)).backward()
        scaler.unscale_(optimizer)
        norm = float(nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None]))
        scaler.step(optimizer)
        scaler.update()
        assert doctor.scene is not None
        with aside([model]):
            twin = doctor.scene.lab.at_start()
            twin.step(doctor.scene.first)
    gauge = doctor.heard.gauges[0]
    assert sum((g or 0.0) ** 2 for g in gauge.grads) ** 0.5 == pytest.approx(norm, rel=1e-5)
    assert all(torch.allclose(p, q, atol=1e-7) for p, q in zip(model.parameters(), twin.model.parameters(), strict=True))


def test_a_step_without_a_backward_pass_cannot_be_done_again_and_says_so() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Watch(model, optimizer, quiet=True) as doctor:
        for p in model.parameters():
            p.grad = torch.ones_like(p)
        optimizer.step()
        assert doctor.scene is not None
        with pytest.raises(NotReplayable, match="no backward pass"):
            doctor.scene.lab.at_start().gradients(doctor.scene.first)
