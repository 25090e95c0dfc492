"""Tokenizers: texts come back, unknown things are known as such, and JSON holds everything."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadline.base.errors import InputError
from leadline.base.find import find, names
from leadline.text.chat import chat, render
from leadline.text.sizes import characters
from leadline.text.tokenizer import Tokenizer
from leadline.text.tokenizers.pretrained import Pretrained

TEXTS = ["the cat sat on the mat.", "A dog, two dogs!", "naïve café – 日本\n\tend", "over and over and over again"] * 5
LEARNT = [name for name in names("text.tokenizers") if name != "pretrained"]
LOSSLESS = ("bytes", "bpe", "characters")


def _learnt(name: str) -> Tokenizer:
    return find("text.tokenizers", name).fit(TEXTS, size=300)


@pytest.mark.parametrize("name", LEARNT)
def test_the_first_ids_are_special_and_json_holds_everything(name: str) -> None:
    tokenizer = _learnt(name)
    again = Tokenizer.from_dict(json.loads(json.dumps(tokenizer.to_dict())))
    assert (again.padding, again.unknown, again.begin, again.end, again.mask) == (0, 1, 2, 3, 4)
    assert again.encode(TEXTS) == tokenizer.encode(TEXTS)
    assert again.vocabulary == tokenizer.vocabulary > max(max(ids) for ids in tokenizer.encode(TEXTS))


@pytest.mark.parametrize("name", LOSSLESS)
def test_training_texts_come_back_to_the_letter(name: str) -> None:
    tokenizer = _learnt(name)
    assert [tokenizer.decode(ids) for ids in tokenizer.encode(TEXTS)] == TEXTS
    assert float(sum(characters(tokenizer)[ids].sum() for ids in tokenizer.encode(TEXTS))) == sum(map(len, TEXTS))


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="[]")))
@settings(deadline=None, max_examples=60)
def test_bytes_know_any_text(text: str) -> None:
    tokenizer = find("text.tokenizers", "bytes").fit([], size=0)
    (ids,) = tokenizer.encode([text])
    assert tokenizer.decode(ids) == text
    assert len(ids) == len(text.encode())
    assert float(characters(tokenizer)[ids].sum()) == len(text)


@pytest.mark.parametrize("name", ["characters", "words", "wordpiece"])
def test_what_was_never_seen_is_unknown(name: str) -> None:
    assert 1 in _learnt(name).encode(["Ω"])[0]


@pytest.mark.parametrize("name", LEARNT)
def test_every_word_has_a_token_and_tokens_know_their_word(name: str) -> None:
    words = [["the", "cat"], ["dogs", "Ω", "!"]]
    ids, places = _learnt(name).encode_words(words)
    for row, own, given_words in zip(ids, places, words, strict=True):
        assert len(row) == len(own)
        assert sorted(set(own)) == list(range(len(given_words)))


def test_whole_texts_are_cut_or_filled_up() -> None:
    tokenizer = _learnt("words")
    rows = tokenizer.whole(["the cat sat on the mat", "the"], 4)
    assert rows.shape == (2, 4)
    assert rows.dtype == np.int32
    assert (rows[0] > 4).all()
    assert rows[1].tolist()[1:] == [0, 0, 0]


def test_a_chat_tells_what_the_assistant_says() -> None:
    tokenizer = _learnt("bytes")
    messages = [{"role": "user", "content": "the cat"}, {"role": "assistant", "content": "sat"}]
    ids, said = chat(tokenizer, messages)
    spoken = [token for token, own in zip(ids, said, strict=True) if own]
    assert spoken[-1] == tokenizer.end
    assert tokenizer.decode(spoken) == "sat"
    assert "the cat" in render(tokenizer, messages)
    assert render(tokenizer, messages[:1], answer=True).endswith("Assistant:\n")


def test_a_pretrained_tokenizer_brings_its_own_ids(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    inner = _learnt("wordpiece")
    specials = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[BOS]", "sep_token": "[EOS]", "mask_token": "[MASK]"}
    source = transformers.PreTrainedTokenizerFast(tokenizer_object=inner.core, **specials)
    source.save_pretrained(tmp_path / "own")
    taken = Pretrained.load(str(tmp_path / "own"))
    assert taken.encode(TEXTS) == inner.encode(TEXTS)
    assert (taken.padding, taken.unknown, taken.mask) == (0, 1, 4)
    again = Tokenizer.from_dict(json.loads(json.dumps(taken.to_dict())))
    assert again.whole(TEXTS, 12).tolist() == taken.whole(TEXTS, 12).tolist()


def test_a_tokenizer_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder") as error:
        Pretrained.load(str(tmp_path / "nothing"))
    assert error.value.code == "LL001"
