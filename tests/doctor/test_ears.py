"""What the ears hear of a loop, and that torch is itself again afterwards."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from leadline.doctor.watch import Watch

X = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


def edges() -> dict[str, Any]:
    """Every place of torch that the ears patch."""
    owners = [
        nn.functional,
        torch.autograd,
        nn.Module,
        torch.optim.Optimizer,
        torch.optim.Adam,
        torch.optim.LBFGS,
        torch.nn.utils.clip_grad,
    ]
    owners += [torch.utils.data.DataLoader, torch.utils.data.dataloader._BaseDataLoaderIter, torch.amp.GradScaler]
    owners += [torch.optim.lr_scheduler.LRScheduler, torch.optim.lr_scheduler.ReduceLROnPlateau]
    return {f"{owner.__name__}.{name}": value for owner in owners for name, value in vars(owner).items() if callable(value)}


def test_torch_is_the_same_objects_again_after_the_last_listener_left() -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters())  # torch itself wraps a class's step at its first instance
    before = edges()
    with Watch(model, optimizer, quiet=True):
        assert torch.autograd.backward is not before["torch.autograd.backward"]
        nn.functional.cross_entropy(model(X), Y).backward()
        optimizer.step()
    after = edges()
    assert [name for name in before if before[name] is not after[name]] == []


def test_two_watches_may_be_nested_and_the_inner_one_leaves_the_outer_one_its_ears() -> None:
    first, second = network(), network()
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.1) for model in (first, second)]
    before = edges()
    with Watch(first, optimizers[0], quiet=True) as outer:
        with Watch(second, optimizers[1], quiet=True) as inner:
            for model, optimizer in zip((first, second), optimizers, strict=True):
                nn.functional.cross_entropy(model(X), Y).backward()
                optimizer.step()
        nn.functional.cross_entropy(first(X), Y).backward()
        optimizers[0].step()
    assert (len(outer.heard.steps), len(inner.heard.steps)) == (2, 1)
    assert outer.heard.failures == inner.heard.failures == []
    assert [name for name, value in edges().items() if value is not before[name]] == []


def test_a_listener_that_fails_is_told_and_the_loop_goes_on() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = Watch(model, optimizer, quiet=True)

    def broken(*_: Any) -> None:
        raise RuntimeError("broken on purpose")

    watch.heard.before_backward = broken  # type: ignore[method-assign]
    with watch:
        nn.functional.cross_entropy(model(X), Y).backward()
        optimizer.step()
    assert "broken on purpose" in watch.heard.failures[0]


def test_a_rule_that_fails_is_named_and_the_training_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from leadline.doctor.rules.t01_missing_zero_grad import MissingZeroGrad

    def broken(*_: Any) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(MissingZeroGrad, "examine", broken)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Watch(model, optimizer, quiet=True) as doctor:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(X), Y).backward()
        optimizer.step()
    assert "broken on purpose" in doctor.not_examined["T01"]


def test_an_optimizer_that_calls_its_base_class_steps_once() -> None:
    class Noisy(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:  # type: ignore[override]
            return super().step(closure)

    model = network()
    optimizer = Noisy(model.parameters(), lr=0.1)
    with Watch(model, optimizer, quiet=True) as doctor:
        for _ in range(3):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(X), Y).backward()
            optimizer.step()
    assert [step.events.count("S") for step in doctor.heard.steps] == [1, 1, 1]


def test_a_step_that_raises_does_not_deafen_the_ears() -> None:
    class Fragile(torch.optim.SGD):
        raises = True

        def step(self, closure: Any = None) -> Any:  # type: ignore[override]
            if Fragile.raises:
                raise ValueError("no step today")
            return super().step(closure)

    model = network()
    optimizer = Fragile(model.parameters(), lr=0.1)
    loader = DataLoader(TensorDataset(X, Y), batch_size=16)
    with Watch(model, optimizer, quiet=True) as doctor:
        for x, y in loader:
            nn.functional.cross_entropy(model(x), y).backward()
            try:
                optimizer.step()
            except ValueError:
                Fragile.raises = False
    assert len(doctor.heard.steps) == 3


def test_an_exception_of_the_users_loop_passes_through() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = edges()
    watch = Watch(model, optimizer, quiet=True)
    with pytest.raises(ZeroDivisionError), watch:
        nn.functional.cross_entropy(model(X), Y).backward() or 1 / 0
    assert [name for name, value in edges().items() if value is not before[name]] == []


def test_a_loss_within_a_loss_is_heard_once() -> None:
    heard: list[str] = []
    model = network()
    watch = Watch(model, torch.optim.SGD(model.parameters(), lr=0.1), quiet=True)
    original = watch.heard.on_loss_call
    watch.heard.on_loss_call = lambda name, *rest: (heard.append(name), original(name, *rest))[1]  # type: ignore[method-assign]
    with watch:
        nn.CrossEntropyLoss()(model(X), Y).backward()
    assert heard == ["cross_entropy"]
