"""`leadline generate`: a run that learnt to write, writes."""

from __future__ import annotations

from pathlib import Path

import click

from leadline.cli.screen import Screen
from leadline.cli.verb import run_argument, verb


@verb("Afterwards", "device", "seed")
@run_argument()
@click.option("--prompt", default=None, help="How the text begins; without it, as texts of the training data do.")
@click.option("--count", type=click.IntRange(1, 10_000), default=1, show_default=True, help="How many texts.")
@click.option("--most", type=click.IntRange(1, 1_000_000), default=200, show_default=True, help="Most tokens of a text.")
@click.option(
    "--temperature", type=click.FloatRange(0.0, 100.0), default=0.8, show_default=True, help="0: always the likeliest; above 1: wilder."
)
@click.option("--top-k", type=click.IntRange(1), default=None, help="Draw from the K likeliest tokens only.")
@click.option(
    "--top-p", type=click.FloatRange(0.0, 1.0, min_open=True), default=None, help="Draw from the likeliest that have this chance together."
)
def command(
    screen: Screen,
    run: Path,
    prompt: str | None,
    count: int,
    most: int,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    seed: int | None,
    device: str,
) -> None:
    """Write texts with a trained network, from a beginning or from nothing.

    Equal seeds give equal texts. One text is shown as it is written. --format json gives one object a line: prompt, text, tokens.
    """
    from leadline.flow.generate import write_on
    from leadline.models.generate import Taste

    taste = Taste(temperature, top_k, top_p)
    flowing = count == 1 and screen.format == "human"
    if flowing:
        screen.flow(prompt or "")
    texts = write_on(
        run, prompt=prompt, count=count, most=most, taste=taste, seed=seed, device=device, on_text=screen.flow if flowing else None
    )
    if flowing:
        screen.flow("\n")
    for text in texts:
        screen.give(text)
        if not flowing:
            screen.show(f"{text['prompt']}{text['text']}")
    screen.next("leadline", "generate", str(run), "--temperature", "0.5")
