"""The audit: what is odd or suspect about a source's examples, whatever their kind."""

from __future__ import annotations

from leadline.data.source import Examples
from leadline.record.facts import Problem


def audit(examples: Examples) -> tuple[Problem, ...]:
    """Look at every example: twins, conflicting labels, imbalance, and what else is odd for its kind. Suspect things stand first."""
    if examples.facts.kind == "images":
        from leadline.data.audit_images import audit_images

        return audit_images(examples)
    if examples.facts.kind == "audio":
        from leadline.data.audit_sounds import audit_sounds

        return audit_sounds(examples)
    if examples.facts.kind == "text":
        from leadline.data.audit_text import audit_text

        return audit_text(examples)
    if examples.facts.kind == "series":
        from leadline.data.audit_series import audit_series

        return audit_series(examples)
    from leadline.data.audit_table import audit_table

    return audit_table(examples)
