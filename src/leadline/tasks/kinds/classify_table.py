"""Predict a label from the other columns of a row."""

from __future__ import annotations

from typing import final

from leadline.record.facts import Facts, Guess
from leadline.record.ports import Rows
from leadline.tasks.classification import Classification


@final
class ClassifyTable(Classification):
    """One label per row, learnt with cross-entropy.

    Data: a table with a target column of labels (CSV, TSV, Parquet, JSONL, DataFrame). Numbers are imputed and standardised, categories
    coded, all fitted on the training rows. Baselines: the most frequent class, logistic regression and gradient-boosted trees; the report
    says when they win.
    """

    name = "classify_table"
    best = ("log_loss", "min")  # validation parts of tables are often small, and accuracy on a few hundred rows is mostly luck
    data = "table"
    takes = (Rows,)
    prepares = "rows"
    remedy = "name the label column with target=COLUMN, or use  task=regress_table"

    @classmethod
    def guess(cls, facts: Facts) -> Guess | None:
        if facts.kind != "table" or facts.target_kind != "classes":
            return None
        return Guess(
            f"task {cls.name}", f"column '{facts.target}' holds {len(facts.classes)} labels", "task=regress_table, or target=COLUMN"
        )
