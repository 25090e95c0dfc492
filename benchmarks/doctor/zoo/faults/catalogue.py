"""All planted faults, and the textbook's rows that one process on a CPU cannot plant, with the reason."""

from __future__ import annotations

from zoo.families import plain
from zoo.faults import (
    data_inputs,
    data_labels,
    data_order,
    evaluation,
    hardware,
    loop,
    loss,
    model_graph,
    model_learning,
    model_signal,
    numerics,
    optimizer,
    schedule,
)
from zoo.faults.fault import Fault
from zoo.program import Program, Setup
from zoo.recipe import Recipe

DATA = (data_inputs, data_labels, data_order)
MODEL = (model_signal, model_graph, model_learning)
AREAS = (*DATA, *MODEL, loss, optimizer, schedule, loop, numerics, evaluation, hardware)
FAULTS: tuple[Fault, ...] = tuple(fault for area in AREAS for fault in area.FAULTS)

NOT_PLANTED = {
    "H01": "ranks out of step need two processes that all-reduce; one process has no other rank to differ from",
    "H05": "a silent fall back to the CPU needs a machine that has another device",
}


def program(fault: Fault, family: str, data: str) -> Program:
    """The family's program on a set with this fault in it; its twin without it is `twin`."""
    healthy = twin(fault, family, data)

    def make(seed: int) -> Setup:
        return fault.plant(healthy.make(seed))

    return Program(
        name=f"{fault.name}/{family}/{data}",
        family=family,
        data=data,
        recipe=healthy.recipe,
        make=make,
        fault=fault.code,
        variant=fault.variant,
    )


def twin(fault: Fault, family: str, data: str) -> Program:
    """The healthy program that differs by the fault alone."""
    return plain(family, data, Recipe(**fault.base))
