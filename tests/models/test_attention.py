"""Attention equals torch's own, both ways of computing it agree, and a cache changes nothing."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from leadline.models import build
from leadline.models.nets.attention import Attention, Cache, Way, angles, rotated
from leadline.models.nets.transformer import sinusoids
from leadline.record.ports import NextTokens, Tokens

WIDTH, HEADS = 16, 4


def _twins(*, across: bool, causal: bool = False) -> tuple[Attention, nn.MultiheadAttention]:
    """Ours and torch's with the same weights."""
    torch.manual_seed(0)
    ours = Attention(WIDTH, HEADS, causal=causal, across=across)
    theirs = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.normal_(std=0.3)
        parts = [(ours.query.weight, ours.query.bias)] if ours.query is not None else []
        weights = torch.cat([*(weight for weight, _ in parts), ours.inward.weight])
        biases = torch.cat([*(bias for _, bias in parts), ours.inward.bias])
        theirs.in_proj_weight.copy_(weights)
        theirs.in_proj_bias.copy_(biases)
        theirs.out_proj.load_state_dict(ours.out.state_dict())
    return ours, theirs


@pytest.mark.parametrize("way", ["fused", "textbook"])
@pytest.mark.parametrize("causal", [False, True])
def test_attention_within_a_sequence_equals_torchs(way: Way, causal: bool) -> None:
    ours, theirs = _twins(across=False, causal=causal)
    ours.way = way
    x, mask = torch.randn(3, 7, WIDTH), torch.ones(3, 7, dtype=torch.bool)
    mask[1, 5:] = False
    future = torch.ones(7, 7, dtype=torch.bool).triu(1) if causal else None
    expected, _ = theirs(x, x, x, key_padding_mask=~mask, attn_mask=future)
    assert torch.allclose(ours(x, mask=mask), expected, atol=1e-5)


@pytest.mark.parametrize("way", ["fused", "textbook"])
def test_attention_to_another_sequence_equals_torchs(way: Way) -> None:
    ours, theirs = _twins(across=True)
    ours.way = way
    x, other = torch.randn(3, 4, WIDTH), torch.randn(3, 9, WIDTH)
    mask = torch.ones(3, 9, dtype=torch.bool)
    mask[2, 6:] = False
    assert torch.allclose(ours(x, other, mask=mask), theirs(x, other, other, key_padding_mask=~mask)[0], atol=1e-5)


def test_a_width_that_heads_cannot_share_is_refused() -> None:
    with pytest.raises(ValueError, match="shared among 3"):
        Attention(16, 3)


def test_rotary_scores_depend_on_the_distance_only() -> None:
    query, key = torch.randn(1, 1, 1, 8), torch.randn(1, 1, 1, 8)

    def score(place: int) -> float:
        one, two = (rotated(part, angles(torch.tensor([at]), 8)) for part, at in ((query, place), (key, place + 3)))
        return float((one * two).sum())

    scores = [score(place) for place in (0, 5, 40)]
    assert scores == pytest.approx([scores[0]] * 3, abs=1e-4)


def test_sines_are_as_published() -> None:
    table = sinusoids(50, 6)
    assert float(table[7, 0]) == pytest.approx(torch.sin(torch.tensor(7.0)).item(), abs=1e-5)
    assert float(table[7, 3]) == pytest.approx(torch.cos(torch.tensor(7 / 10_000 ** (2 / 6))).item(), abs=1e-5)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary", "none"])
@pytest.mark.parametrize("style", [{}, {"norm": "rms", "gated": True}, {"norm_first": False}])
def test_a_cache_changes_nothing(positions: str, style: dict[str, object]) -> None:
    model = build.build(
        "gpt", {"width": 16, "heads": 2, "depth": 2, "positions": positions, **style}, Tokens(20, 12), NextTokens(20), seed=0
    ).eval()
    ids = torch.randint(5, 20, (2, 12))
    with torch.no_grad():
        whole, cache = model(ids), Cache()
        parts = torch.cat([model(ids[:, :5], cache), *(model(ids[:, place : place + 1], cache) for place in range(5, 12))], dim=1)
    assert torch.allclose(whole, parts, atol=1e-5)


@pytest.mark.parametrize("name", ["gpt", "lstm", "rnn", "gru"])
def test_no_place_sees_what_comes_behind_it(name: str) -> None:
    options = {"width": 16, "depth": 1} | ({"heads": 2} if name == "gpt" else {})
    model = build.build(name, options, Tokens(20, 12), NextTokens(20), seed=0).eval()
    ids = torch.randint(5, 20, (2, 12))
    changed = ids.clone()
    changed[:, 7:] = torch.randint(5, 20, (2, 5))
    with torch.no_grad():
        assert torch.allclose(model(ids)[:, :7], model(changed)[:, :7], atol=1e-6)
