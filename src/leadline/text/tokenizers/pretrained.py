"""The tokenizer that a pretrained model was trained with."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Core

from leadline.base.errors import InputError
from leadline.text.tokenizer import Recipe, Tokenizer


class Pretrained(Recipe):
    """Taken from a hub id or a local folder (`data.text.tokenizer=distilbert-base-uncased`), with its own special tokens and its chat
    template. A pretrained network needs its own tokenizer, and gets it by itself."""

    @classmethod
    def fit(cls, texts: Iterable[str], *, size: int) -> Tokenizer:
        raise InputError(
            "LL022",
            "data.text.tokenizer = 'pretrained' names none",
            where="data.text.tokenizer",
            help="data.text.tokenizer=HUB_ID or FOLDER",
        )

    @classmethod
    def load(cls, name: str) -> Tokenizer:
        """The tokenizer of a hub id or folder. Raises InputError LL001 (no such folder), LL006 (cannot be downloaded), LL022 (not fast)."""
        folder = Path(name).expanduser()
        if name.startswith((".", "/", "~")) and not folder.is_dir():
            raise InputError("LL001", f"there is no folder {name}", where="data.text.tokenizer", help="name a hub id or a folder")
        from leadline.base.find import module

        try:
            source = module("transformers").AutoTokenizer.from_pretrained(
                str(Path(name).expanduser()) if Path(name).expanduser().is_dir() else name
            )
        except (OSError, ValueError) as error:
            raise InputError(
                "LL006",
                f"the tokenizer of '{name}' cannot be had: {str(error).splitlines()[0]}",
                where="data.text.tokenizer",
                help="check the name and the network, or name a folder that holds tokenizer.json",
            ) from None
        return _taken(source, name)


def _taken(source: Any, name: str) -> Tokenizer:
    core = getattr(source, "backend_tokenizer", None)
    if core is None:
        text = f"the tokenizer of '{name}' is written in Python, and only those of the tokenizers library are read"
        raise InputError("LL022", text, where="data.text.tokenizer", help="convert it to tokenizer.json")
    core = Core.from_str(json.dumps({**json.loads(core.to_str()), "padding": None, "truncation": None}))
    head, tail = _around(source)
    padding = source.pad_token_id if source.pad_token_id is not None else source.eos_token_id
    if padding is None:
        raise InputError(
            "LL022", f"the tokenizer of '{name}' has no token to fill up with", where="data.text.tokenizer", help="add a pad_token"
        )
    begin = source.bos_token_id if source.bos_token_id is not None else source.cls_token_id
    end = source.eos_token_id if source.eos_token_id is not None else source.sep_token_id
    template = source.chat_template if isinstance(source.chat_template, str) else None
    return Tokenizer("pretrained", core, padding, source.unk_token_id, begin, end, source.mask_token_id, head, tail, template)


def _around(source: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What it puts before and behind a text."""
    plain, full = source("a", add_special_tokens=False)["input_ids"], source("a")["input_ids"]
    for start in range(len(full) - len(plain) + 1):
        if full[start : start + len(plain)] == plain:
            return tuple(full[:start]), tuple(full[start + len(plain) :])
    return (), ()
