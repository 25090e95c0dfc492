"""Conversations as one text: rendered by a template, and which tokens the assistant says."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from leadline.text.tokenizer import Tokenizer

Messages = Sequence[dict[str, str]]
TEMPLATE = (
    "{% for message in messages %}### {{ message.role | capitalize }}:\n{{ message.content }}"
    "{% if message.role == 'assistant' %}{{ eos_token }}{% endif %}\n\n{% endfor %}"
    "{% if add_generation_prompt %}### Assistant:\n{% endif %}"
)
"""How messages become one text where the tokenizer has no template of its own."""


def chat(tokenizer: Tokenizer, messages: Messages) -> tuple[list[int], list[bool]]:
    """Ids of a conversation in its template, and which of them the assistant says, its end token included: what is to be learnt."""
    text = render(tokenizer, messages)
    spans = [_span(tokenizer, messages, place) for place, message in enumerate(messages) if message["role"] == "assistant"]
    found = tokenizer.core.encode(text, add_special_tokens=False)
    return found.ids, [any(low <= start < high for low, high in spans) for start, _ in found.offsets]


def render(tokenizer: Tokenizer, messages: Messages, *, answer: bool = False) -> str:
    """A conversation as text; with `answer` up to where the assistant begins to speak."""
    names = {"eos_token": tokenizer.name(tokenizer.end), "bos_token": tokenizer.name(tokenizer.begin)}
    return _compiled(tokenizer.template or TEMPLATE).render(messages=list(messages), add_generation_prompt=answer, **names)


def _span(tokenizer: Tokenizer, messages: Messages, place: int) -> tuple[int, int]:
    """Where message `place`, an assistant's, stands in the rendered text: from behind the prompt to behind its end token."""
    low = len(render(tokenizer, messages[:place], answer=True))
    until = render(tokenizer, messages[: place + 1])
    end = tokenizer.name(tokenizer.end)
    last = until.rfind(end) if end else -1
    return low, last + len(end) if last >= low else len(until)


@cache
def _compiled(template: str) -> Any:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(template)
