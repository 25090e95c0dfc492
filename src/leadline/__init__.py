"""leadline: deep learning you can see to the bottom of. The doors open lazily, so that importing costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leadline.flow.api import load, open_run, train

__version__ = "0.1.0"
__all__ = ["__version__", "load", "open_run", "train"]


def __getattr__(name: str) -> Any:
    """A door, imported when it is first opened."""
    if name not in __all__:
        raise AttributeError(f"module 'leadline' has no attribute {name!r}; it has {', '.join(__all__)}")
    from leadline.flow import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return __all__
