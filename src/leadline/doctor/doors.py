"""The doctor's two doors."""

from __future__ import annotations

from leadline.doctor.check import check
from leadline.doctor.watch import watch

__all__ = ["check", "watch"]
