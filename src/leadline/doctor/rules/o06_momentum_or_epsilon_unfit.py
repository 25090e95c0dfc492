"""O06: momentum, betas or epsilon are far from what works, and with the usual values the loss falls."""

from __future__ import annotations

import torch
from torch import nn

from leadline.doctor.bench import Bench, classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.record.finding import Finding


class MomentumOrEpsilonUnfit(Rule):
    """The optimizer's memory or its epsilon is unfit: it remembers a thousand steps, none, or drowns the gradient in epsilon.

    What it sees: betas of 1 or more (the bias correction divides by zero); or unusual momentum or betas, or an eps above the root of most
    second moments, where a replay with the usual values reaches more in a few steps than the whole run.
    Why it hurts: with momentum m a step is 1/(1-m) times as long and as late; an eps above sqrt(v) turns Adam into SGD with a rate lr/eps.
    What to do: momentum 0.9, betas (0.9, 0.999), eps 1e-8 (1e-6 and more only for half precision).
    When it is wrong: eps=1e-3 of old vision recipes and beta2=0.95 of language models learn well, and are not named.
    Source: Kingma & Ba, Adam, 2015.
    """

    code, cause, title = "O06", "momentum_beta_eps_unfit", "Momentum, betas or epsilon unfit"
    needs = ("dynamics", "tournament")
    after = 1
    kind = "replay"
    explained_by = ("T01", "T05", "D01", "D02")

    def examine(self, evidence: Evidence) -> Finding | None:
        """Impossible betas, or usual values that win the tournament."""
        options = evidence["dynamics"].options
        betas = options.get("betas")
        if betas is not None and len(betas) >= 2 and not all(0 <= beta < 1 for beta in betas[:2]):
            return self.found(
                f"betas={tuple(betas)}: a beta of 1 or more makes the bias correction 1 - beta ** step zero or negative, "
                "and the update is not a number",
                control="betas=(0.9, 0.999)",
                step=0,
                evidence={"betas": list(betas)},
                set={"train.optimizer.betas": [0.9, 0.999]},
            )
        tournament = evidence["tournament"]
        winner = tournament.winner
        if winner is None or winner.candidate.code != self.code:
            return None
        name, usual = winner.candidate.options[0]
        return self.found(
            f"{name}={options[name]} does not fit: {tournament.in_words(winner)}",
            control=winner.candidate.name,
            step=0,
            evidence={name: options[name], "eps_share": evidence["dynamics"].eps_share},
            probe=winner.trial.to_dict(),
            set={f"train.optimizer.{name}": usual},
        )

    @classmethod
    def sick(cls) -> Case:
        """Adam with eps=1."""

        def make() -> Bench:
            torch.manual_seed(0)
            model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
            return classifier(model=model, optimizer=torch.optim.Adam(model.parameters(), lr=1e-3, eps=1.0), steps=120)

        return watched(make, "Adam with eps=1")

    @classmethod
    def well(cls) -> Case:
        """Adam with the betas of language models and a large epsilon."""

        def make() -> Bench:
            torch.manual_seed(0)
            model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
            return classifier(model=model, optimizer=torch.optim.Adam(model.parameters(), lr=1e-2, betas=(0.9, 0.95), eps=1e-3), steps=120)

        return watched(make, "eps=1e-3 and beta2=0.95")
