"""D01 and D12: inputs on a scale that the network cannot start from, and inputs that were scaled twice."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from leadline.doctor.bench import Bench, blobs, classifier, loader, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.scales import Scales, helped
from leadline.record.finding import Finding


def facts(seen: Scales) -> dict[str, Any]:
    """The numbers behind it."""
    return {"mean": seen.mean, "std": seen.std, "largest_to_smallest_std": seen.ratio, "loss_left": list(seen.left_inputs)}


def _far(scale: float, offset: float, lr: float = 1e-2) -> Bench:
    x, y = blobs()
    model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 3))
    return classifier(model=model, optimizer=torch.optim.SGD(model.parameters(), lr=lr), loader=loader(x * scale + offset, y))


class InputScale(Rule):
    """The network's inputs are so large, so far from zero or so unequal that the first layer cannot use them.

    What it sees: inputs far from mean 0 and deviation 1 (or features a hundred times wider than others), a loss that does not fall as it
    should, and a replay from the start on the same batches in which standardised inputs leave plainly less of the loss.
    Why it hurts: sums in the first layer saturate what follows, gradients follow the widest feature alone, and an offset drowns differences
    (LeCun et al. 1998, "Efficient BackProp", section 4.3).
    What to do: subtract the training part's mean and divide by its deviation, feature by feature; or put a BatchNorm at the entrance.
    When it is wrong: bytes and pixels that learn well as they are are left alone, whatever their scale.
    """

    code, cause, title = "D01", "input_scale", "Inputs on a hard scale"
    needs = ("scales",)
    after, kind = 10, "replay"
    explained_by = ("D09",)

    def examine(self, evidence: Evidence) -> Finding | None:
        """A lead, bad or slow learning, and a control that helps."""
        seen: Scales = evidence["scales"]
        if (
            seen.inputs in ("", "squeezed")
            or seen.trial_inputs is None
            or not helped(seen.trial_inputs, seen.left_inputs, is_bad=seen.is_bad)
        ):
            return None
        how = {
            "large": f"the inputs have deviation {seen.std:.3g}",
            "offset": f"the inputs lie about {seen.mean:.4g} with small differences",
            "mixed": f"feature {seen.feature} is {seen.ratio:.3g} times as wide as the narrowest",
            "tiny": f"the inputs have deviation {seen.std:.2g}",
        }[seen.inputs]
        return self.found(
            f"{how}; {seen.trial_inputs.in_words}",
            control="standardise the inputs feature by feature with the training part's mean and deviation",
            severity="error" if seen.is_bad else "warning",
            confidence="confirmed" if seen.is_bad else "suspected",
            where="inputs",
            evidence=facts(seen),
            probe=seen.trial_inputs.to_dict(),
        )

    @classmethod
    def sick(cls) -> Case:
        """Years as they are."""
        return watched(lambda: _far(1.0, 1000.0, 0.1), "inputs about 1000")

    @classmethod
    def well(cls) -> Case:
        """Not standardised, and no harm."""
        return watched(lambda: _far(4.0, 8.0, 1e-3), "inputs with deviation 9 about 8 that learn well")


class ScaledTwice(Rule):
    """The inputs were scaled twice: all features are squeezed into a sliver.

    What it sees: inputs whose features all share one tiny deviation (below a tenth, as bytes divided by 255 twice, or a mean and deviation
    for bytes taken off rows that were standardised already), a loss that does not fall as it should, and a replay in which standardised
    inputs leave plainly less of it.
    Why it hurts: the network sees nearly the same input each time, and must learn large weights first.
    What to do: take one of the two steps out (ToTensor divides by 255 already; a processor of a pre-trained network normalises already).
    When it is wrong: quantities that are small by nature (probabilities, returns) are standardised by the same control.
    """

    code, cause, title = "D12", "double_normalisation", "Inputs were scaled twice"
    needs = ("scales",)
    after, kind = 10, "replay"
    explained_by = ("D09",)

    def examine(self, evidence: Evidence) -> Finding | None:
        """One tiny scale, bad or slow learning, and a control that helps."""
        seen: Scales = evidence["scales"]
        if seen.inputs != "squeezed" or seen.trial_inputs is None or not helped(seen.trial_inputs, seen.left_inputs, is_bad=seen.is_bad):
            return None
        return self.found(
            f"all inputs lie within {seen.std:.2g} of {seen.mean:.3g}: they were scaled twice; {seen.trial_inputs.in_words}",
            control="take one of the two scaling steps out, so that inputs have deviation about 1",
            severity="error" if seen.is_bad else "warning",
            confidence="confirmed" if seen.is_bad else "suspected",
            where="inputs",
            evidence=facts(seen),
            probe=seen.trial_inputs.to_dict(),
        )

    @classmethod
    def sick(cls) -> Case:
        """Standardised rows minus 127.5, divided by 60."""
        return watched(lambda: _far(1 / 180, -2.125), "standardised rows are scaled as bytes are")

    @classmethod
    def well(cls) -> Case:
        """Small inputs behind a batch norm."""
        x, y = blobs()
        model = nn.Sequential(nn.BatchNorm1d(8), nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
        return watched(lambda: classifier(model=model, loader=loader(x / 180, y)), "tiny inputs, and the network standardises them itself")
