"""TabM: the table network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pydantic import Field

from leadline.base.spec import Spec as Settings
from leadline.models.model import Model
from leadline.models.shapes import num_outputs
from leadline.models.suggestions import batch_for, epochs_for
from leadline.record.ports import Classes, Port, Rows, Values

if TYPE_CHECKING:
    from torch import nn


class TabM(Model):
    """A table network at today's level: an ensemble of perceptrons that share most weights, on embeddings of the numbers.

    Each number becomes a vector through a piecewise-linear map over its quantiles, so that steps and bends in the target are easy to
    learn; categories are one-hot. The `k` members are trained side by side, each on its own loss, and answer together: classes by the
    mean probability, values by the mean. Gorishniy, Kotelnikov and Babenko, "TabM", ICLR 2025 (package tabm); embeddings after
    Gorishniy, Rubachev and Babenko, NeurIPS 2022. Costs several times a perceptron of equal width; where trees win, the report says so.
    """

    takes = (Rows,)
    gives = (Classes, Values)

    class Spec(Settings):
        """Settings of the table network."""

        k: int = Field(default=16, ge=1, le=256)
        """Members of the ensemble."""
        layers: int = Field(default=2, ge=1, le=16)
        """Hidden layers."""
        width: int = Field(default=256, ge=1, le=8192)
        """Features of each hidden layer."""
        dropout: float = Field(default=0.1, ge=0, lt=1)
        """Share of the hidden features that each training step blanks."""
        embedding: int = Field(default=16, ge=1, le=256)
        """Features that each number becomes."""
        bins: int = Field(default=64, ge=2, le=512)
        """Most pieces of the piecewise-linear map of a number; fewer where the data has fewer distinct quantiles."""

    @classmethod
    def build(cls, spec: Settings, takes: Port, gives: Port) -> nn.Module:
        import tabm

        from leadline.models.nets.tabm import TabMNet, number_embeddings

        own, rows = cast(TabM.Spec, spec), cast(Rows, takes)
        net = tabm.TabM.make(
            n_num_features=rows.num_numbers,
            cat_cardinalities=list(rows.category_sizes),
            d_out=num_outputs(gives),
            num_embeddings=number_embeddings(rows, width=own.embedding, bins=own.bins),
            n_blocks=own.layers,
            d_block=own.width,
            dropout=own.dropout,
            k=own.k,
        )
        return TabMNet(rows, net=net, mean_of_probabilities=isinstance(gives, Classes))

    @classmethod
    def suggest(cls, *, takes: Port, num_examples: int) -> dict[str, Any]:
        """Measured on tables of 14,000 and 28,000 rows (one split, one seed); the rate for small tables is a cautious guess."""
        return {
            "train.epochs": epochs_for(num_examples, seen=500_000, least=8, most=100),
            "train.batch_size": batch_for(num_examples, least=32, most=256),
            "train.optimizer.lr": 5e-3 if num_examples > 5000 else 2e-3,
            "train.optimizer.weight_decay": 3e-4,
        }

    @classmethod
    def tiny(cls) -> Spec:
        return cls.Spec(k=4, width=16, embedding=4, bins=4)
