"""The watch around a loop: nothing of the training changes, and what is unusual about a loop does not trouble it."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from leadline.doctor.ears import StopTraining
from leadline.doctor.watch import Watch

X = torch.randn(96, 6, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] + X[:, 1] > 0).long()
STEPS = 40

Loop = Callable[[nn.Module, Any], None]


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))


def adam(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=0.01)


def batches() -> Any:
    while True:
        yield from DataLoader(TensorDataset(X, Y), batch_size=24, shuffle=True)


def steps(count: int = STEPS) -> Any:
    return zip(range(count), batches(), strict=False)


def plain(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    for number, (x, y) in steps():
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        if number % 10 == 9:
            model.eval()
            with torch.no_grad():
                nn.functional.cross_entropy(model(X), Y)
            model.train()


def in_bf16(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    for _, (x, y) in steps():
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()


def scaled_and_clipped(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    for _, (x, y) in steps():
        optimizer.zero_grad()
        scaler.scale(nn.functional.cross_entropy(model(x), y)).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()


def accumulated(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    for number, (x, y) in steps(80):
        (nn.functional.cross_entropy(model(x), y) / 4).backward()
        if number % 4 == 3:
            optimizer.step()
            optimizer.zero_grad()


def scheduled(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.02, total_steps=STEPS)
    for _, (x, y) in steps():
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        schedule.step()


def with_a_closure(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    for _, (x, y) in steps(12):

        def closure(x: Tensor = x, y: Tensor = y) -> Tensor:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            return loss

        optimizer.step(closure)


def saving_the_whole_model(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    for _, (x, y) in steps():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        torch.save((model, optimizer.state_dict(), loss), io.BytesIO())
        loss.backward()
        optimizer.step()
        copy.deepcopy(model)


def compiled(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    fast = torch.compile(model, backend="aot_eager")
    for _, (x, y) in steps(15):
        optimizer.zero_grad()
        nn.functional.cross_entropy(fast(x), y).backward()
        optimizer.step()


def lbfgs(model: nn.Module) -> torch.optim.Optimizer:
    model.eval()  # a line search needs the same answer twice
    return torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=4, line_search_fn="strong_wolfe")


def trained(loop: Loop, make: Callable[[nn.Module], Any], *, watching: bool) -> tuple[dict[str, Any], Watch]:
    """Weights, optimizer, generators and modes after a training."""
    model = network()
    optimizer = make(model)
    watch = Watch(model, optimizer, quiet=True)
    torch.manual_seed(1)
    if watching:
        watch.start()
    loop(model, optimizer)
    random = torch.get_rng_state()
    modes = [module.training for module in model.modules()]
    if watching:
        watch.stop()
    state = {"weights": model.state_dict(), "optimizer": optimizer.state_dict(), "random": random, "modes": modes}
    return {**state, "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]}, watch


def same(first: Any, second: Any) -> bool:
    """Bit for bit, through dicts and lists."""
    if isinstance(first, Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(same(a, b) for a, b in zip(first, second, strict=True))
    return bool(first == second)


LOOPS: list[tuple[Loop, Callable[[nn.Module], Any]]] = [
    (plain, adam), (in_bf16, adam), (scaled_and_clipped, adam), (accumulated, adam), (scheduled, adam), (with_a_closure, lbfgs),
    (with_a_closure, adam), (saving_the_whole_model, adam), (compiled, adam),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Using `torch.compile")  # torch says so where a step is being recorded when a network is compiled
@pytest.mark.parametrize(("loop", "make"), LOOPS, ids=[f"{loop.__name__}-{make.__name__}" for loop, make in LOOPS])
def test_a_watched_training_is_bit_for_bit_the_same_and_nothing_is_found_in_it(loop: Loop, make: Callable[[nn.Module], Any]) -> None:
    alone, _ = trained(loop, make, watching=False)
    beside, watch = trained(loop, make, watching=True)
    assert [key for key in alone if not same(alone[key], beside[key])] == []
    assert watch.heard.failures == []
    assert len(watch.heard.steps) >= 12
    assert len(watch.heard.moments) >= 3
    assert [(f.code, f.explanation) for f in watch.findings if f.severity != "note" and make is adam] == []


def test_two_optimizers_of_one_iteration_are_one_step() -> None:
    model = network()
    pair = [torch.optim.Adam(part.parameters(), lr=0.01) for part in (model[0], model[4])]
    with Watch(model, pair, quiet=True) as doctor:
        for _, (x, y) in steps(10):
            for optimizer in pair:
                optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            for optimizer in pair:
                optimizer.step()
    assert len(doctor.heard.steps) == 10
    assert doctor.heard.steps[5].optimizers == [0, 1]
    assert doctor.heard.failures == []


def test_an_optimizer_made_anew_is_heard_and_does_not_pile_up() -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    with Watch(model, optimizer, quiet=True) as doctor:
        for _, (x, y) in steps(30):
            optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            optimizer.zero_grad()
    assert len(doctor.heard.steps) == 30
    assert len(doctor.optimizers) == 1
    assert len(doctor.heard.strangers) <= 6


def test_a_loop_that_never_steps_is_found_before_it_ends() -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    with Watch(model, optimizer, quiet=True) as doctor:
        for _, (x, y) in steps(70):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
        assert [f.code for f in doctor.findings][:1] == ["T02"]


def test_lazy_layers_are_watched_from_their_first_step_on() -> None:
    model = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(2))
    with Watch(model, torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1), quiet=True) as doctor:
        model(X)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for _, (x, y) in steps(10):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
    assert doctor.heard.failures == []
    assert doctor.heard.gauges[0].names == ("0.weight", "0.bias", "2.weight", "2.bias")


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_training_that_stops_at_a_value_that_is_not_finite_keeps_the_last_good_weights(where: str) -> None:
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    doctor = Watch(model, optimizer, quiet=True, on_nonfinite="stop")
    good: dict[str, Tensor] = {}

    def train() -> None:
        for number, (x, y) in steps(10):
            good.update(copy.deepcopy(model.state_dict()))
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            if number == 6:
                zero = (model(x) * 0).pow(2).sum(1)
                loss = loss + (zero.sqrt().mean() if where == "gradient" else zero.log().mean())
            loss.backward()
            optimizer.step()

    with pytest.raises(StopTraining, match=f"{where} is not finite at step 6"), doctor:
        train()
    assert all(torch.equal(value, good[name]) for name, value in model.state_dict().items())
    (finding,) = [f for f in doctor.findings if f.code == "N01"]
    assert finding.step == 6
    assert finding.evidence["operation"] == ("log" if where == "loss" else finding.evidence["operation"])


def test_the_first_bad_operation_layer_and_rows_are_named() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(6, 8), nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            hidden = self.first(x)
            return self.last(hidden / x[:, 2:3].abs().sum(1, keepdim=True))

    torch.manual_seed(0)
    data = X.clone()
    data[30, 2] = data[41, 2] = 0.0
    model = Scaled()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    with Watch(model, optimizer, quiet=True) as doctor:
        for start in (0, 24):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(data[start : start + 24]), Y[start : start + 24]).backward()
            optimizer.step()
    (finding,) = [f for f in doctor.findings if f.code == "N01"]
    assert (finding.step, finding.where, finding.evidence["operation"]) == (1, "first", "div")
    assert "a division by 0" in finding.explanation


def test_a_scaled_loss_that_overflows_in_the_first_steps_is_no_finding() -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
    with Watch(model, optimizer, quiet=True) as doctor:
        for _, (x, y) in steps(40):
            optimizer.zero_grad()
            scaler.scale(8 * nn.functional.cross_entropy(model(x), y)).backward()
            scaler.step(optimizer)
            scaler.update()
    assert [f.code for f in doctor.findings if f.code == "N01"] == []
    assert doctor.heard.failures == []
