"""H02: a distributed sampler that gives the same order in every epoch, or a share of the rows to ranks that do not run."""

from __future__ import annotations

from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

from leadline.doctor.bench import Bench, blobs, classifier, watched
from leadline.doctor.evidence import Evidence
from leadline.doctor.rule import Case, Rule
from leadline.doctor.signals.sampler_epochs import SamplerEpochs
from leadline.record.finding import Finding


def _sharded() -> Bench:
    data = TensorDataset(*blobs())
    sampler = DistributedSampler(data, num_replicas=1, rank=0, shuffle=True)
    return classifier(loader=DataLoader(data, 32, sampler=sampler))


class SamplerNotTold(Rule):
    """The sampler that deals the rows out to processes was set up wrongly, or is never told that a new epoch began.

    What it sees: a DistributedSampler with shuffle that still stands at epoch 0 when the third epoch has begun; or one that counts more
    ranks
    than processes run.
    Why it hurts: its order hangs on the epoch's number alone, so every epoch has the same batches; rows of ranks that do not run are
    never seen.
    What to do: call loader.sampler.set_epoch(epoch) at the start of each epoch; let it take the number of ranks from the process group.
    When it is wrong: a sampler that is meant to give one fixed shard of the data to this process reads as a missing rank.
    """

    code, cause, title = "H02", "sampler", "The distributed sampler repeats itself"
    needs = ("sampler_epochs",)

    def examine(self, evidence: Evidence) -> Finding | None:
        """Three epochs at number 0, or ranks that do not exist."""
        seen: SamplerEpochs = evidence["sampler_epochs"]
        if seen.ranks > seen.running:
            return self.found(
                f"the sampler deals the rows out to {seen.ranks} ranks, and {seen.running} runs: "
                f"{1 - seen.running / seen.ranks:.0%} of the rows are never seen",
                control="leave num_replicas and rank out, so that the sampler asks the process group; in one process use shuffle=True",
                where="loader",
                evidence={"ranks": seen.ranks, "running": seen.running},
            )
        if seen.begun < 3:
            return None
        return self.found(
            f"the loader was begun {seen.begun} times and its DistributedSampler still stands at epoch 0: every epoch has the same order",
            control="call loader.sampler.set_epoch(epoch) at the start of each epoch",
            where="loader",
            evidence={"epochs_begun": seen.begun},
        )

    @classmethod
    def sick(cls) -> Case:
        """Nobody calls set_epoch."""
        return watched(_sharded, "set_epoch is never called")

    @classmethod
    def well(cls) -> Case:
        """set_epoch at each epoch's start."""
        epochs = iter(range(1, 1000))

        def told(bench: Bench) -> None:
            bench.loader.sampler.set_epoch(next(epochs))

        def make() -> Bench:
            bench = _sharded()
            bench.new_epoch = told
            return bench

        return watched(make, "the sampler is told each epoch")
