"""What makes raw examples ready for a network, one kind a file."""

from __future__ import annotations
