"""What load_state_dict left out, where it was allowed to (strict=False)."""

from __future__ import annotations

from dataclasses import dataclass

from leadline.doctor.evidence import Scene


@dataclass(frozen=True)
class Loads:
    """step, missing, unexpected: of the worst load heard. expected: how many keys the network has."""

    step: int
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    expected: int


def measure(scene: Scene) -> Loads:
    """The load that left the most out; empty where none did."""
    worst = Loads(0, (), (), len(scene.lab.model.state_dict()) if scene.heard.loads else 0)
    for step, whose, result in scene.heard.loads:
        missing = tuple(getattr(result, "missing_keys", ()) or ())
        unexpected = tuple(getattr(result, "unexpected_keys", ()) or ())
        if whose == "model" and len(missing) > len(worst.missing):
            worst = Loads(step, missing, unexpected, worst.expected)
    return worst
