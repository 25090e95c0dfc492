"""leadline: deep learning you can see to the bottom of. The doors open lazily, so that importing costs nothing."""

from __future__ import annotations

__version__ = "0.1.0"
