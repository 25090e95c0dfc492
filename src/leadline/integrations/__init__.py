"""The doctor under other people's trainers: one callback each, which opens when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leadline.integrations.hugging_face import HFCallback
    from leadline.integrations.lightning import LightningCallback

__all__ = ["HFCallback", "LightningCallback"]
_WHERE = {"HFCallback": "hugging_face", "LightningCallback": "lightning"}


def __getattr__(name: str) -> Any:
    """A callback, imported with its trainer's library when it is first used."""
    if name not in _WHERE:
        raise AttributeError(f"module 'leadline.integrations' has no attribute {name!r}; it has {', '.join(__all__)}")
    from leadline.base.find import module

    return getattr(module(f"leadline.integrations.{_WHERE[name]}"), name)
