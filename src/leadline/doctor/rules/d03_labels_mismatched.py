"""D03: the targets belong to other inputs."""

from __future__ import annotations

import torch

from leadline.doctor.bench import Bench, blobs, classifier, loader, watched
from leadline.doctor.evidence import Evidence, NotExamined
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.generalises import Generalises
from leadline.doctor.signals.neighbours import STRUCTURE, Neighbours
from leadline.doctor.signals.token_targets import TokenTargets
from leadline.record.finding import Finding


def _parity() -> Bench:
    """The product of ten signs: right labels that no neighbour knows."""
    x = torch.randint(0, 2, (512, 10), generator=torch.Generator().manual_seed(0)).float() * 2 - 1
    y = (x.prod(1) > 0).long()
    return classifier(model=torch.nn.Sequential(torch.nn.Linear(10, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2)), loader=loader(x, y))


class LabelsMismatched(Rule):
    """Inputs and targets were put together wrongly: each row has the target of another one.

    What it sees: rows not trained on are answered no better than by a constant, and neighbours in the inputs (by several distances and a
    linear map) agree in their targets no more than by chance. Proof: under a shift of the targets by a few rows they do agree. Without such
    a shift it is a suspicion, and only where the inputs have a structure of their own that labels could follow. For token models: targets
    that are the inputs themselves although each answer sees its own input, or the next tokens of another row.
    Why it hurts: there is nothing to learn but the rows by heart; the training loss may even fall.
    What to do: shuffle inputs and targets by the same permutation; join files by id, not by line; check a few rows by eye.
    When it is wrong: tasks where likeness says nothing (parity, same-or-different) have inputs without such structure or are learnt
    after all.
    """

    code, cause, title = "D03", "labels_mismatched", "Targets belong to other inputs"
    needs = ("neighbours", "generalises", "token_targets")
    after, kind = 20, "experiment"

    def examine(self, evidence: Evidence) -> Finding | None:
        """Tokens by their text; rows by their neighbours, once fresh rows are at chance."""
        return self._tokens(evidence) or self._rows(evidence)

    def _tokens(self, evidence: Evidence) -> Finding | None:
        try:
            seen: TokenTargets = evidence["token_targets"]
        except NotExamined:
            return None
        if seen.own > 0.99 and seen.causal:
            what, do = (
                "every target is the input token at its own place, which the network sees: it learns to copy",
                "shift the targets by one: inputs tokens[:-1], targets tokens[1:]",
            )
        elif seen.elsewhere > 0.95:
            place = f"the row {seen.shift:+d} places away" if seen.shift else "some other row"
            what = f"targets are the next tokens of {place} in the data set, for {seen.elsewhere:.0%} of the rows"
            do = "make inputs and targets from the same row"
        else:
            return None
        return self.found(what, control=do, where="targets", evidence={"own": seen.own, "next": seen.next, "elsewhere": seen.elsewhere})

    def _rows(self, evidence: Evidence) -> Finding | None:
        fresh: Generalises = evidence["generalises"]
        if not fresh.is_at_chance:
            return None
        near: Neighbours = evidence["neighbours"]
        if not near.is_chance:
            return None
        facts = {
            "neighbour_score": near.score,
            "shift": near.shift,
            "shifted_score": near.shifted,
            "fresh_loss": fresh.fresh,
            "trivial": fresh.trivial,
        }
        said = f"rows not trained on ({fresh.source}) have loss {fresh.fresh:.4g}, a constant answer {fresh.trivial:.4g}"
        if near.is_shifted:
            return self.found(
                f"neighbouring inputs share no targets ({near.score:.1f} deviations above chance), but they do "
                "when the targets are moved by "
                f"{near.shift:+d} rows ({near.shifted:.0f} deviations): a line was lost in one of the files; {said}",
                control=f"move the targets by {near.shift:+d} rows against the inputs, or join the files by id",
                where="targets",
                evidence=facts,
            )
        if not (near.structure < STRUCTURE or near.noise) or fresh.steps < 60 or fresh.source == "the first pass over the data":
            return None
        why = (
            "the inputs are noise in which no pixel is like its neighbour"
            if near.noise
            else "the inputs have a structure of their own, and the targets do not follow it"
        )
        return self.found(
            f"{said}; neighbouring inputs share targets no more than by chance, by any distance: {why}",
            control="check that inputs and targets are read, shuffled and joined in the same order (look at ten pairs by eye)",
            severity="warning",
            confidence="suspected",
            where="targets",
            evidence=facts,
        )

    @classmethod
    def sick(cls) -> Case:
        """One line was lost in the file of targets."""
        x, y = blobs()
        return watched(lambda: classifier(loader=loader(x, y.roll(1))), "each row has its neighbour's label")

    @classmethod
    def well(cls) -> Case:
        """Parity: right, and hard."""
        return watched(_parity, "labels that no neighbour knows, and right all the same")
