"""`leadline check`: six questions before a long run, and the doctor's look at the set-up."""

from __future__ import annotations

from leadline.cli import summary, target
from leadline.cli.screen import Screen
from leadline.cli.verb import verb

BLOCKED = 3


@verb("Start", "seed", "device")
@target.argument
def command(screen: Screen, words: tuple[str, ...], seed: int | None, device: str) -> int | None:
    """Ask six questions and the doctor before a long run; under a minute.

    Can one batch be learnt by heart? Are gradient norms there? Is the validation split clean? Does resuming give equal steps? How
    does the learning rate go? Is validation in eval mode? Each is answered yes, no or not examined, with evidence. Then the doctor
    trains a copy for some seconds and names what is wrong, with the keys that cure it. A problem that makes training pointless ends
    with exit code 3.
    """
    recipe = target.recipe_of(words, seed=seed)
    from leadline.flow.train import check

    checks, findings, blocked = check(recipe, device=device, say=screen.say)
    plain = [finding.to_dict() for finding in findings]
    screen.give({"checks": checks, "findings": plain, "blocked": blocked})
    screen.show(summary.check_verdict(checks))
    screen.section("findings", summary.finding_lines(plain))
    if not blocked:
        screen.next("leadline", "train", *target.again(words, seed=seed))
        return None
    screen.show("\nblocked: training as it is set up cannot succeed")
    controls = [f"{key}={value}" for finding in plain if finding["severity"] == "error" for key, value in finding["control"]["set"].items()]
    screen.next("leadline", "check", *target.again(words, seed=seed), *controls)
    return BLOCKED
