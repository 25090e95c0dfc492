"""L03: a likelihood loss gets numbers that are no log-probabilities."""

from __future__ import annotations

from torch import nn

from leadline.doctor.bench import classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding

TOLERANCE = 1e-3  # rounding of a log-softmax in half precision stays below


class NllWithoutLog(Rule):
    """NLLLoss or KLDivLoss is given probabilities or logits where it wants logarithms of probabilities.

    What it sees: numbers above 0 in the first argument of nll_loss or kl_div. No logarithm of a probability is above 0.
    Why it hurts: nll_loss only picks out the target's number and negates it. Of probabilities it lies in [-1, 0] and its gradient fades
    where the network is wrong; of logits it has no lower bound at all.
    What to do: end the network in log_softmax, or give logits to CrossEntropyLoss, which is log_softmax and nll_loss in one.
    When it is wrong: never for kl_div and nll_loss as losses; a loss that only borrows nll_loss to pick numbers out would be named too.
    """

    code, cause, title = "L03", "nll_without_log", "Likelihood loss of numbers that are no logarithms"
    needs = ("loss_path",)

    def examine(self, evidence: Evidence) -> Finding | None:
        """Positive numbers where logarithms of probabilities are wanted."""
        path = evidence["loss_path"]
        for call in path.calls("nll_loss", "kl_div"):
            if float(call.sample.max()) > TOLERANCE and (call.slope is None or call.slope > 0):
                what = "probabilities" if call.end in ("softmax", "sigmoid") else "numbers that are no logarithms of probabilities"
                return self.found(
                    f"{call.name} was given {what} (up to {call.sample.max():.3g}; a log-probability is never above 0), so the loss is no "
                    "likelihood and can be negative",
                    control="give it log_softmax(outputs), or use CrossEntropyLoss on the raw outputs",
                    step=path.step,
                    evidence={"loss": call.name, "activation": call.end, "max": float(call.sample.max())},
                )
        return None

    @classmethod
    def sick(cls) -> Case:
        """Softmax, then NLLLoss."""
        return watched(
            lambda: classifier(model=nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3), nn.Softmax(1)), loss_fn=nn.NLLLoss()),
            "NLLLoss of probabilities",
        )

    @classmethod
    def well(cls) -> Case:
        """LogSoftmax, then NLLLoss."""
        return watched(
            lambda: classifier(model=nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3), nn.LogSoftmax(1)), loss_fn=nn.NLLLoss()),
            "NLLLoss of logarithms of probabilities",
        )
