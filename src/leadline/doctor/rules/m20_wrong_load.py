"""M20: load_state_dict(strict=False) met none of the names it was to fill, and said nothing."""

from __future__ import annotations

from torch import nn

from leadline.doctor.bench import Bench, classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding

PART = 0.5  # of the network's keys missing while as many strange ones came: renamed, not a new head


class WrongLoad(Rule):
    """A checkpoint was loaded with strict=False, most names did not fit, and the weights stayed at random.

    What it sees: the result of load_state_dict: at least half of the network's keys are missing, and unexpected keys came in their place.
    Why it hurts: training starts from nothing, and nobody is told.
    What to do: strip the prefix ("module.", "model.", "_orig_mod.") from the keys; look at missing_keys and unexpected_keys.
    When it is wrong: a checkpoint of the backbone alone leaves a few keys missing and brings no strange ones: silent.
    """

    code, cause, title = "M20", "wrong_load", "The checkpoint's names did not fit"
    needs = ("loads",)

    def examine(self, evidence: Evidence) -> Finding | None:
        """Half the keys missing, and strange ones there."""
        found = evidence["loads"]
        if not found.expected or len(found.missing) < PART * found.expected or not found.unexpected:
            return None
        return self.found(
            f"load_state_dict(strict=False) left {len(found.missing)} of {found.expected} tensors as they were: the checkpoint "
            f"calls them otherwise (it has {found.unexpected[0]!r}, the network {found.missing[0]!r})",
            control="rename the checkpoint's keys (strip a prefix such as 'module.'), and load with strict=True",
            step=found.step,
            where=found.missing[0],
            evidence={"missing": list(found.missing[:10]), "unexpected": list(found.unexpected[:10])},
        )

    @classmethod
    def sick(cls) -> Case:
        """Every key begins with module."""
        return watched(lambda: classifier(new_epoch=_load("module.")), "a DataParallel checkpoint, loaded with strict=False")

    @classmethod
    def well(cls) -> Case:
        """The backbone alone."""
        return watched(lambda: classifier(new_epoch=_load("")), "a checkpoint without the head, loaded with strict=False")


def _load(prefix: str) -> object:
    def new_epoch(bench: Bench) -> None:
        if not bench.model.__dict__.get("was_loaded"):
            other = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3)).state_dict()
            bench.model.load_state_dict({prefix + key: value for key, value in other.items() if not key.startswith("2")}, strict=False)
            bench.model.was_loaded = True  # pyright: ignore[reportArgumentType]

    return new_epoch
