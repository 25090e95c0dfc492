"""Two processes give the result of one: the same global batch, gradients, batch norms, rates and decisions."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing as processes
from safetensors.torch import load_file, save_file
from small import CPU, Rows, Run, Scores, convolutions, digits, far_apart, perceptron, settings, weights
from torch import nn

from leadline.base.errors import InputError, LeadlineError, Stopped
from leadline.record.journal import Journal
from leadline.training import distributed
from leadline.training.batch_norm import SharedBatchNorm, synchronise
from leadline.training.checkpoint import Saved
from leadline.training.distributed import World

SGD = {"name": "sgd", "lr": 0.1, "weight_decay": 0.01}
COUNT = 289  # with batches of 32: the last has one example, so one of two processes has none
KINDS = ("plain", "dropout", "batch_norm", "convolutions")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left that did all of `WORKS` together: starting them takes longer than the works."""
    path = tmp_path_factory.mktemp("together")
    processes.spawn(work_through, args=(2, free_port(), path), nprocs=2)
    return path


def work_through(rank: int, size: int, port: int, folder: Path) -> None:
    """What one of the processes does."""
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(size), LOCAL_RANK=str(rank), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    world = distributed.start(CPU)
    for work in WORKS:
        (folder / work.__name__).mkdir(exist_ok=True)
        work(world, folder / work.__name__)
    world.finish()


def a_run(kind: str, folder: Path, *, rank: int = 0, world: int = 1, **changes: Any) -> Run:
    pictures = kind == "convolutions"
    inputs, target = digits(images=pictures, count=COUNT)
    model = convolutions() if pictures else perceptron(norm=kind == "batch_norm", dropout=0.3 if kind == "dropout" else 0.0)
    if kind == "batch_norm":  # rows need two for statistics: the last batch is an uneven one of three
        inputs, target = inputs[: COUNT - 30], target[: COUNT - 30]
    rows = Rows(inputs, target, batch_size=32, rank=rank, world=world)
    spec = settings(optimizer=SGD, **changes)
    return Run(folder, model, rows, spec, validate=Scores(inputs, target))


def train(world: World, folder: Path) -> None:
    for kind in KINDS:
        run = a_run(kind, folder / kind, rank=world.rank, world=world.size)
        if world.rank:  # what another process starts with does not count
            for weight in run.model.parameters():
                weight.data.zero_()
        run.fit(world=world)
        save_file(weights(run.model), folder / kind / f"rank{world.rank}.safetensors")


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_equal_one(folder: Path, tmp_path: Path, kind: str) -> None:
    one = a_run(kind, tmp_path)
    one.fit()
    ranks = [load_file(folder / "train" / kind / f"rank{rank}.safetensors") for rank in range(2)]
    assert far_apart(ranks[0], ranks[1]) == 0
    assert far_apart(weights(one.model), ranks[0]) < 1e-5
    both = [one.journal.read(), Journal(folder / "train" / kind / "metrics.jsonl").read()]
    losses, norms = ([[row[key] for row in rows if key in row] for rows in both] for key in ("loss", "grad_norm"))
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert norms[0] == pytest.approx(norms[1], abs=1e-5)


def normalise(world: World, folder: Path) -> None:
    """Seven rows over two processes, one of which may have none, through a batch norm that all share."""
    inputs = torch.randn(7, 3, generator=torch.Generator().manual_seed(0)) * 5 + 100
    for name, cut in (("uneven", 5), ("empty", 7)):
        module = synchronise(nn.Sequential(nn.BatchNorm1d(3)), CPU)
        own = (inputs[:cut] if world.is_main else inputs[cut:]).clone().requires_grad_()
        output = module(own)
        (output**3).sum().backward()
        assert own.grad is not None
        save_file({"output": output.detach(), "grad": own.grad, **weights(module)}, folder / f"{name}{world.rank}.safetensors")


@pytest.mark.parametrize("name", ["uneven", "empty"])
def test_a_shared_batch_norm_is_torchs_over_the_whole_batch(folder: Path, name: str) -> None:
    inputs = (torch.randn(7, 3, generator=torch.Generator().manual_seed(0)) * 5 + 100).requires_grad_()
    plain = nn.Sequential(nn.BatchNorm1d(3))
    output = plain(inputs)
    (output**3).sum().backward()
    assert inputs.grad is not None
    found = [load_file(folder / "normalise" / f"{name}{rank}.safetensors") for rank in range(2)]
    torch.testing.assert_close(torch.cat([each["output"] for each in found]), output, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(torch.cat([each["grad"] for each in found]), inputs.grad, rtol=1e-3, atol=1e-3)
    for key, expected in plain.state_dict().items():
        torch.testing.assert_close(found[1][key], expected, rtol=1e-5, atol=1e-5)


def stop_on_one(world: World, folder: Path) -> None:
    run = a_run("plain", folder, rank=world.rank, world=world.size)
    asked = iter(range(999))
    with pytest.raises(Stopped) as caught:
        run.fit(world=world, stop=lambda: world.rank == 1 and next(asked) >= 4)
    (folder / f"stopped{world.rank}").write_text(caught.value.message)
    run.model = perceptron()
    run.fit(world=world, state=run.checkpoints.newest())
    save_file(weights(run.model), folder / f"rank{world.rank}.safetensors")


def test_a_signal_to_any_process_stops_all_at_one_step_and_they_resume(folder: Path, tmp_path: Path) -> None:
    messages = {(folder / "stop_on_one" / f"stopped{rank}").read_text() for rank in range(2)}
    assert messages == {"stopped at step 5 of 20; the state is saved"}
    one = a_run("plain", tmp_path)
    one.fit()
    assert far_apart(weights(one.model), load_file(folder / "stop_on_one" / "rank1.safetensors")) < 1e-5


def stop_early(world: World, folder: Path) -> None:
    run = a_run("plain", folder, rank=world.rank, world=world.size, epochs=5, early_stop={"patience": 1})
    run.validate = lambda model: {"log_loss": 1.0 if world.is_main else float("nan")}
    (folder / f"epochs{world.rank}").write_text(str(run.fit(world=world).epochs))


def test_the_first_process_decides_when_to_stop_early(folder: Path) -> None:
    assert [(folder / "stop_early" / f"epochs{rank}").read_text() for rank in range(2)] == ["2", "2"]


def meet_a_nan(world: World, folder: Path) -> None:
    for kind in ("plain", "batch_norm"):
        run = a_run(kind, folder / kind, rank=world.rank, world=world.size)
        run.rows.inputs[7] = float("nan")
        with pytest.raises(LeadlineError) as caught:
            run.fit(world=world)
        (folder / f"{kind}{world.rank}").write_text(f"{caught.value.code} {caught.value.message}")


@pytest.mark.parametrize("kind", ["plain", "batch_norm"])
def test_a_bad_example_on_one_process_stops_all_before_the_step(folder: Path, kind: str) -> None:
    found = [(folder / "meet_a_nan" / f"{kind}{rank}").read_text().partition(" (loss")[0] for rank in range(2)]
    assert found[0] == found[1]
    assert found[0].startswith("LL031")


def fail_to_save(world: World, folder: Path) -> None:
    run = a_run("plain", folder, rank=world.rank, world=world.size)
    if world.is_main:
        (folder / "checkpoints").write_text("a file where the folder belongs")
    with pytest.raises((LeadlineError, OSError)) as caught:
        run.fit(world=world)
    (folder / f"error{world.rank}").write_text(str(caught.value))


def test_when_the_first_process_cannot_save_no_other_waits_for_it(folder: Path) -> None:
    assert "the first process could not save" in (folder / "fail_to_save" / "error1").read_text()


def begin_apart(world: World, folder: Path) -> None:
    run = a_run("plain", folder, rank=world.rank, world=world.size)
    saved = Saved(step=3, tensors={}, state={}, path=folder, skipped=[]) if world.is_main else None
    with pytest.raises(LeadlineError, match="others elsewhere"):
        run.fit(world=world, state=saved)
    (folder / f"refused{world.rank}").touch()


def test_processes_that_would_begin_at_different_steps_are_refused(folder: Path) -> None:
    assert all((folder / "begin_apart" / f"refused{rank}").exists() for rank in range(2))


def end_early(world: World, folder: Path) -> None:
    """An error of gloo's, as it comes when the other process is gone."""
    with pytest.raises(LeadlineError) as caught, distributed.plain_words(world):
        raise RuntimeError("[gloo/transport/tcp/pair.cc:561] Connection closed by peer [127.0.0.1]:20691")
    (folder / f"said{world.rank}").write_text(caught.value.message)


def test_the_end_of_another_process_is_said_in_plain_words(folder: Path) -> None:
    assert (folder / "end_early" / "said0").read_text() == "process 0 stops: another process of this run has ended"


WORKS: tuple[Callable[[World, Path], None], ...] = (
    train,
    normalise,
    stop_on_one,
    stop_early,
    meet_a_nan,
    fail_to_save,
    begin_apart,
    end_early,
)


def test_going_on_with_another_number_of_processes_is_refused(tmp_path: Path) -> None:
    run = a_run("plain", tmp_path)
    run.fit()
    saved = run.checkpoints.newest()
    assert saved is not None
    saved.state["world"] = 2
    with pytest.raises(InputError, match="2 processes") as caught:
        run.fit(state=saved)
    assert caught.value.code == "LL012"


def test_without_torchrun_the_world_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert distributed.start(CPU) == World()


def test_replaced_batch_norms_keep_names_weights_and_evaluation() -> None:
    model = convolutions()
    before = weights(model)
    images, _ = digits(images=True, count=16)
    model.eval()
    expected = model(images)
    synchronise(model, CPU)
    assert isinstance(model[1], SharedBatchNorm)
    assert far_apart(before, weights(model)) == 0
    assert list(before) == list(weights(model))
    assert torch.equal(model(images), expected)


def test_timms_batch_norm_keeps_its_activation() -> None:
    timm = pytest.importorskip("timm.layers")
    model = nn.Sequential(timm.BatchNormAct2d(4))
    images = torch.randn(2, 4, 3, 3)
    expected = model.eval()(images)
    synchronise(model, CPU)
    assert torch.equal(model(images), expected)
    assert expected.detach().min() == 0


def test_an_unknown_batch_norm_is_refused_by_name() -> None:
    class Own(nn.BatchNorm2d):
        pass

    with pytest.raises(InputError, match="layer '0' is a Own"):
        synchronise(nn.Sequential(Own(4)), CPU)
