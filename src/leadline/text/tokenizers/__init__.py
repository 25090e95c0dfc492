"""The shelf of tokenizers: one way to cut texts into tokens a file."""

from __future__ import annotations
