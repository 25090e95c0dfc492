"""The fingerprint of a run: all that decides its bits. A resumed run that differs in one of them is refused, and told in which."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, cast

from leadline.base.errors import InputError

# Recipe keys that change no weight: where things stand and are kept, how often they are saved, and what is measured afterwards.
# The data itself is known by its hashes, wherever it stands.
FREE = ("data.source", "data.cache", "data.workers", "train.checkpoint_every_s", "check.", "evaluate.", "schema")


def fingerprint(
    recipe: dict[str, Any], data: dict[str, str], *, versions: dict[str, str], threads: int, device: str, world: int = 1
) -> dict[str, Any]:
    """Plain JSON that says what decides a run's bits, with one SHA-256 over all of it.

    recipe: the resolved recipe. data: name to hash of its parts, such as `Split.hashes()`. threads: torch's; sums on the CPU depend on
    their number. world: number of processes that train together.
    """
    parts: dict[str, Any] = {
        "recipe": {key: value for key, value in sorted(_flat(recipe)) if not f"{key}.".startswith(FREE)},
        "data": dict(sorted(data.items())),
        "versions": dict(sorted(versions.items())),
        "machine": {"device": device, "processes": world, "threads": threads},
    }
    plain: dict[str, Any] = json.loads(json.dumps(parts, allow_nan=False, default=str))
    return {**plain, "sha256": hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()}


def differences(saved: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """One sentence for each thing that changed since the run was saved; an empty list when nothing did."""
    if saved.get("sha256") == now.get("sha256"):
        return []
    sentences: list[str] = []
    for part, word in (("recipe", ""), ("data", "data "), ("versions", "version of "), ("machine", "")):
        old, new = saved.get(part, {}), now.get(part, {})
        changed = (key for key in sorted({*old, *new}) if old.get(key) != new.get(key))
        sentences += [f"{word}{key} {_was(old, key, part)}, and is now {_say(new, key, part)}" for key in changed]
    return sentences or ["the saved fingerprint does not match its own parts"]


def refuse_change(saved: dict[str, Any], now: dict[str, Any], *, where: str) -> None:
    """Raise InputError LL012 that names what changed since the run was saved; silent when nothing did."""
    changed = differences(saved, now)
    if not changed:
        return
    more = f", and {len(changed) - 3} more" if len(changed) > 3 else ""
    help = "put it back as it was, or go on with  --allow-change  (the run records it, and the result is no longer repeatable)"
    raise InputError("LL012", f"{'; '.join(changed[:3])}{more}", where=where, help=help)


def _was(old: dict[str, Any], key: str, part: str) -> str:
    return f"was {_say(old, key, part)}"


def _say(values: dict[str, Any], key: str, part: str) -> str:
    if key not in values:
        return "absent"
    return f"{values[key]:.12}…" if part == "data" else json.dumps(values[key], ensure_ascii=False)


def _flat(values: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(cast("dict[str, Any]", value), f"{path}{key}.")
        else:
            yield f"{path}{key}", value
