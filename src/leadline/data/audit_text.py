"""What is odd about texts: repeated ones, equal ones with different labels, classes of very unequal size, very long ones."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from leadline.data.audit_table import ORDER, SHOWN, imbalance, repeats
from leadline.data.source import Examples
from leadline.record.facts import Problem

FAR = 20  # times as long as the text in the middle


def audit_text(examples: Examples) -> tuple[Problem, ...]:
    """Everything odd or suspect about texts, suspect things first."""
    found = [*repeats(examples), *_long(examples)]
    if examples.facts.target_kind == "classes":
        found += imbalance(examples.facts)
    return tuple(sorted(found, key=lambda problem: ORDER[problem.severity]))


def _long(examples: Examples) -> Iterable[Problem]:
    about = examples.facts.text
    if about is None or about.form == "corpus":
        return
    sizes = np.array([len(str(item)) for item in examples.fetch(np.arange(len(examples)))])
    middle = max(1.0, float(np.median(sizes)))
    far = np.flatnonzero(sizes > FAR * middle)
    if len(far):
        names = tuple(str(examples.names[place]) for place in far[:SHOWN])
        text = f"{len(far):,} texts more than {FAR} times as long as the one in the middle ({middle:,.0f} characters)"
        yield Problem("long_texts", "odd", len(far), names, text)
