"""`leadline look`: what is in the data."""

from __future__ import annotations

from leadline.cli import summary, target
from leadline.cli.screen import Screen
from leadline.cli.verb import verb


@verb("Start", "seed")
@target.argument
def command(screen: Screen, words: tuple[str, ...], seed: int | None) -> None:
    """See what is in your data, before anything is trained.

    TARGET is a folder of pictures, a table, the name of a set, or a recipe. Shows the task it seems made for with the evidence,
    counts, sizes, missing values, files that cannot be read, twins, imbalance, and columns that give the answer away.
    """
    recipe = target.recipe_of(words, seed=seed)
    from leadline.flow.look import look

    report = look(recipe)
    screen.give(report.to_dict())
    guess = report.task
    screen.show("\n".join(summary.guess_lines(guess) if guess else [f"guess:     no task; {report.why_no_task}"]))
    screen.section("", summary.facts_lines(report.facts))
    screen.section("problems", summary.problem_lines(report.problems))
    screen.section("chosen by itself", summary.other_guesses(report.guesses))
    screen.show(f"\nlooked at every example in {report.seconds:.1f} s")
    screen.next("leadline", "train" if guess else "new", *words)
