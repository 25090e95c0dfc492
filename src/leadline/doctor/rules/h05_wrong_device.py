"""H05: the network computes on the host although the machine has an accelerator."""

from __future__ import annotations

from leadline.doctor.bench import classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.devices import Devices
from leadline.record.finding import Finding

SLOW_S = 0.05  # a step: below that, moving the batches may cost more than the accelerator gains
LARGE = 1_000_000  # parameters


class WrongDevice(Rule):
    """All parameters are on the host, and an accelerator stands idle.

    What it sees: The device of every parameter, and whether torch can use an accelerator in this process.

    Why it hurts: It harms no result; a step takes ten to a hundred times as long as it could.

    What to do: `model.to("cuda")` before the optimizer is built, and each batch `.to("cuda")`.

    When it is wrong: Small networks are faster on the host: it is a warning only from a million parameters and 50 ms a step on, and a
    note above 10 ms. Nothing is said where no accelerator can be used.
    """

    code, cause, title = "H05", "wrong_device", "the network computes on the host, and an accelerator is idle"
    needs = ("devices",)
    after = 10
    kind = "contract"

    def examine(self, evidence: Evidence) -> Finding | None:
        """Where the parameters are is a fact; that it matters is told by size and time."""
        devices: Devices = evidence["devices"]
        if devices.accelerator is None or devices.on != ("cpu",) or devices.step_s < SLOW_S / 5:
            return None
        is_large = devices.step_s >= SLOW_S and devices.parameters >= LARGE
        return self.found(
            f"{devices.parameters:,} parameters compute on the host at {devices.step_s * 1000:.0f} ms a step, "
            f"and {devices.accelerator} is there and idle",
            control=f'model.to("{devices.accelerator}") before the optimizer is built, and the same for each batch',
            severity="warning" if is_large else "note",
            evidence={"accelerator": devices.accelerator, "step_s": round(devices.step_s, 4), "parameters": devices.parameters},
        )

    @classmethod
    def sick(cls) -> Case:
        """What was measured of a network of two million parameters on the host of a machine with CUDA."""

        def run() -> list[Finding]:
            found = cls().examine(Evidence(None, {"devices": Devices("cuda", ("cpu",), 0.4, 2_000_000)}))
            return [found] if found is not None else []

        return Case(run, "two million parameters on the host, beside a GPU (measured there: not every machine has one)")

    @classmethod
    def well(cls) -> Case:
        """A tiny network on the host, wherever it runs."""
        return watched(classifier, "a tiny network is on the host, where it is fastest")
