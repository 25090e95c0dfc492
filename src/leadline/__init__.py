"""leadline: deep learning you can see to the bottom of. The doors open lazily, so that importing costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leadline.doctor.check import check
    from leadline.doctor.watch import watch
    from leadline.flow.api import load, open_run, train

__version__ = "0.1.0"
__all__ = ["__version__", "check", "load", "open_run", "train", "watch"]
_DOCTOR = ("check", "watch")  # these need torch and nothing else heavy


def __getattr__(name: str) -> Any:
    """A door, imported when it is first opened."""
    if name not in __all__:
        raise AttributeError(f"module 'leadline' has no attribute {name!r}; it has {', '.join(__all__)}")
    if name in _DOCTOR:
        from leadline.doctor import doors

        return getattr(doors, name)
    from leadline.flow import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return __all__
