"""M18: the divergence weighs so much that the code says nothing: every input is rebuilt as the same picture."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from leadline.doctor.bench import Bench, loader, pictures, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class PosteriorCollapse(Rule):
    """A variational autoencoder whose code carries nothing: the divergence is zero, and the decoder says the mean for every input.

    What it sees: rebuilt inputs that do not differ from input to input; in the recorded loss a term of the network's own outputs beside the
    error; and a replay with that term lighter, in which the error falls where it does not as it is.
    Why it hurts: code and samples are useless, although the loss has fallen.
    What to do: sum the error over pixels as the divergence is summed over the code (or take the mean of both), or warm the divergence up
    from 0.
    When it is wrong: in the first steps of every run all answers are alike; only what a lighter term cures is named.
    Source: Bowman et al., Generating Sentences from a Continuous Space, 2016.
    """

    code, cause, title = "M18", "posterior_collapse", "Posterior collapse"
    needs = ("learning", "collapse")
    after = 50
    kind = "replay"
    explained_by = ("O02", "D01", "T01", "T02", "O05")

    def examine(self, evidence: Evidence) -> Finding | None:
        """One answer for all, and a lighter divergence cures it."""
        if evidence["learning"].verdict == "too early":
            return None
        collapse = evidence["collapse"]
        if not collapse.helps:
            return None
        return self.found(
            f"all inputs are rebuilt alike (their answers vary {collapse.variety:.1%} as much as the inputs), the divergence stands at "
            f"{collapse.penalty:.3g} beside an error of {collapse.error:.3g}; {collapse.trial.in_words}",
            control="weigh the divergence less, or warm it up from 0; sum the error over pixels where the divergence is summed",
            step=0,
            evidence={"variety": collapse.variety, "penalty": collapse.penalty, "error": collapse.error},
            probe=collapse.trial.to_dict(),
        )

    @classmethod
    def sick(cls) -> Case:
        """Mean error beside a summed divergence."""
        return watched(lambda: _autoencoder(20.0), "the divergence twenty times too heavy")

    @classmethod
    def well(cls) -> Case:
        """The same network with a light divergence."""
        return watched(lambda: _autoencoder(0.001), "a variational autoencoder that learns")


class _Variational(nn.Module):
    """Pictures to a code of four and back."""

    def __init__(self) -> None:
        super().__init__()
        self.encode, self.decode = nn.Linear(64, 8), nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 64))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rebuilt rows, mean and log variance of the code."""
        mu, logvar = self.encode(x).chunk(2, -1)
        return self.decode(mu + torch.randn_like(mu) * (logvar / 2).exp()), mu, logvar


def _autoencoder(weight: float) -> Bench:
    torch.manual_seed(0)
    x = pictures()[0].flatten(1)
    model = _Variational()

    def step(net: nn.Module, loss_fn: Any, optimizer: Optimizer, batch: Any) -> None:
        optimizer.zero_grad()
        back, mu, logvar = net(batch[0])
        divergence = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(1).mean()
        loss = loss_fn(back, batch[0]) + weight * divergence
        loss.backward()
        optimizer.step()

    return Bench(model, nn.MSELoss(), torch.optim.Adam(model.parameters(), lr=1e-2), loader(x), step=step, steps=120)
