"""When memory runs out the batch is cut and the step stays the same."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from small import LABELS, Rows, Run, digits, far_apart, perceptron, settings, weights
from torch import nn

from leadline.base.errors import LeadlineError
from leadline.record.batch import Batch
from leadline.tasks.kinds.classify_table import ClassifyTable
from leadline.tasks.task import Loss
from leadline.training.heap import keep_freed_memory
from leadline.training.oom import finer, is_out_of_memory

INPUTS, TARGET = digits()
SGD = {"name": "sgd", "lr": 0.1, "weight_decay": 0}


class Narrow:
    """A task on a machine where no more than `room` examples fit at once."""

    name = "narrow"
    best = ("log_loss", "min")

    def __init__(self, room: int) -> None:
        self.room, self.task = room, ClassifyTable(LABELS)

    def losses(self, model: nn.Module, batch: Batch) -> Iterator[Loss]:
        if len(batch) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        yield from self.task.losses(model, batch)


def test_the_batch_is_cut_finer_and_the_effective_batch_kept(tmp_path: Path) -> None:
    whole = Run(tmp_path / "whole", perceptron(), Rows(INPUTS, TARGET, batch_size=64), settings(optimizer=SGD))
    whole.fit()
    told: list[dict[str, Any]] = []
    cut = Run(tmp_path / "cut", perceptron(), Rows(INPUTS, TARGET, batch_size=64), settings(optimizer=SGD), task=Narrow(20))
    fitted = cut.fit(on_event=told.append)
    assert far_apart(weights(whole.model), weights(cut.model)) < 1e-5
    assert fitted.parts == 4
    assert fitted.events == ({"kind": "out_of_memory", "step": 1, "parts_before": 1, "parts": 4},)
    assert told == list(fitted.events)
    newest = cut.checkpoints.newest()
    assert newest is not None
    assert newest.state["place"]["parts"] == 4


def test_one_example_that_does_not_fit_is_an_error_with_words(tmp_path: Path) -> None:
    with pytest.raises(LeadlineError) as caught:
        Run(tmp_path, perceptron(), Rows(INPUTS, TARGET, batch_size=64), task=Narrow(0)).fit()
    assert caught.value.code == "LL032"
    assert "one example" in caught.value.message


def test_other_errors_are_not_taken_for_it(tmp_path: Path) -> None:
    rows = Rows(INPUTS[:, :5], TARGET, batch_size=64)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        Run(tmp_path, perceptron(), rows).fit()


def test_memory_errors_are_known_by_type_and_by_words() -> None:
    cpu = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes."
    assert is_out_of_memory(torch.OutOfMemoryError("x"))
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError(cpu))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(ValueError("out of memory"))


def test_a_real_allocation_that_cannot_be_met_is_known() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


def test_a_cpu_process_under_linux_keeps_freed_memory_and_steps_fault_no_pages() -> None:
    if not keep_freed_memory(torch.device("cpu")):
        pytest.skip("another system or C library gives memory back in its own way")
    for _ in range(3):
        torch.ones(8 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(8 << 20)  # 32 MB: 8,192 pages, ten times over if each were new
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 3 * 8192


def test_a_gpu_needs_no_such_thing() -> None:
    assert not keep_freed_memory(torch.device("cuda"))


def test_parts_double_up_to_single_examples() -> None:
    assert finer(1, examples=5, step=1) == 2
    assert finer(4, examples=5, step=1) == 5
    with pytest.raises(LeadlineError):
        finer(5, examples=5, step=1)
