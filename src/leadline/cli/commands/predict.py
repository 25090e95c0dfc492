"""`leadline predict`: answers for new input."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from leadline.cli import target
from leadline.cli.screen import Screen, columns, number
from leadline.cli.verb import run_argument, verb

SHOWN = 20


@verb("Afterwards", "device")
@run_argument()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
def command(screen: Screen, run: Path, inputs: tuple[str, ...], device: str) -> None:
    """Answer for new input: pictures, folders of pictures, sounds, tables, text files, or a text in quotes.

    Each answer has the id of its input (the file, or file:row), a label with its probability or a value in the target's units.
    --format json gives every answer with all it holds, one object a line.
    """
    target.check_inputs(inputs)
    from leadline.flow.predict import predict

    answers = predict(run, list(inputs), device=device, say=screen.say)
    for answer in answers:
        screen.give(answer)
    screen.show("\n".join(columns(_row(answer) for answer in answers[:SHOWN])))
    if len(answers) > SHOWN:
        screen.show(f"  … {len(answers) - SHOWN:,} more (--format json gives all)")
    screen.next("leadline", "card", str(run))


def _row(answer: dict[str, Any]) -> Sequence[str]:
    if "forecast" in answer:
        return answer["id"], f"after {answer['after']}", *(f"{name}: {_first(values)}" for name, values in answer["forecast"].items())
    if "text" in answer:
        return answer["id"], str(answer["text"])
    if "perplexity" in answer:
        return answer["id"], f"perplexity {number(answer['perplexity'])}", f"{answer['tokens']} tokens"
    if "label" not in answer:
        return answer["id"], number(answer["value"])
    others = ", ".join(f"{item['label']} {item['confidence']:.1%}" for item in answer.get("top", [])[1:3])
    return answer["id"], str(answer["label"]), f"{answer['confidence']:.1%}", others and f"({others})"


def _first(values: Sequence[float]) -> str:
    return ", ".join(number(value) for value in values[:3]) + (", …" if len(values) > 3 else "")
