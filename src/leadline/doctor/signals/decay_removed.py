"""Whether training goes further without weight decay: from the start against the whole run, and from now on against going on."""

from __future__ import annotations

from dataclasses import dataclass

from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.lab import Curve, Trial, set_group
from leadline.doctor.signals.dynamics import Dynamics
from leadline.doctor.signals.tournament import Tournament

STEPS = 40
LATE = 100  # steps after which "from now on" is asked: decay needs time to do its harm
GAINED = 0.2  # of the first loss; a sound decay costs some training loss too, on purpose


@dataclass(frozen=True)
class DecayRemoved:
    """best: the numbers in words and the trial that proves it; None where removing decay does not help."""

    best: tuple[str, Trial | None]


def measure(scene: Scene) -> DecayRemoved:
    """Raises NotExamined where decay is small beside the gradient; NotReplayable."""
    evidence = Evidence(scene)
    dynamics: Dynamics = evidence["dynamics"]
    if not dynamics.options.get("weight_decay") or dynamics.decay_share < 0.2:
        raise NotExamined("weight decay is small beside the gradient")
    tournament: Tournament = evidence["tournament"]
    winner = tournament.winner
    if winner is not None and winner.candidate.code == "O04":
        return DecayRemoved((tournament.in_words(winner), winner.trial))
    if winner is not None or len(scene.heard.steps) < LATE:
        return DecayRemoved(("", None))
    return DecayRemoved(_from_now(scene, tournament))


def _from_now(scene: Scene, tournament: Tournament) -> tuple[str, Trial | None]:
    usable = [moment for moment in scene.moments if moment.script.problem is None]
    held = usable[1::2][-4:] or usable
    train = [moment for moment in usable if moment not in held] or usable
    curves: list[Curve] = []
    for control in (None, set_group(weight_decay=0.0)):
        twin = scene.lab.now()
        before = scene.lab.mean_loss(twin, held)
        if control is not None:
            control(twin)
        replayed = scene.lab.curve(twin, train, steps=STEPS)
        curves.append(Curve(before, scene.lab.mean_loss(twin, held), replayed.losses, replayed.steps))
    as_is, without = curves
    gained = as_is.after - without.after
    trial = Trial("no weight decay from now on", as_is, without)
    helps = gained > GAINED * abs(tournament.start) and gained > 3 * max(as_is.before - as_is.after, 0.0)
    return (trial.in_words, trial) if helps else ("", None)
