"""How many characters each token of a tokenizer stands for."""

from __future__ import annotations

import json

import numpy as np

from leadline.text.tokenizer import SPECIALS, Tokenizer


def characters(tokenizer: Tokenizer) -> np.ndarray:
    """(vocabulary,) float32; 0 for special tokens. In a byte-level tokenizer a byte that continues a character counts nothing."""
    special = {place for place, token in tokenizer.core.get_added_tokens_decoder().items() if token.special}
    special |= set() if tokenizer.kind == "pretrained" else set(range(len(SPECIALS)))
    is_bytes = (json.loads(tokenizer.core.to_str()).get("pre_tokenizer") or {}).get("type") == "ByteLevel"
    names = (tokenizer.name(place) for place in range(tokenizer.vocabulary))
    return np.array([0.0 if place in special else _size(name, is_bytes) for place, name in enumerate(names)], np.float32)


def _size(token: str, is_bytes: bool) -> float:
    if not is_bytes:
        return float(len(token.removeprefix("##")))
    return float(sum((_BYTES.get(sign, 0) & 0xC0) != 0x80 for sign in token))


def _byte_signs() -> dict[str, int]:
    """Which sign stands for which byte in byte-level tokens (GPT-2's table)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + place): byte for place, byte in enumerate(others)}


_BYTES = _byte_signs()
