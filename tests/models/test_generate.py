"""Writing: the likeliest token, drawn ones, and what a memory must not change."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from leadline.models import build
from leadline.models.generate import Taste, choose, generate
from leadline.record.ports import NextTokens, Tokens

GREEDY = Taste(temperature=0)


def _model(name: str, length: int = 12) -> nn.Module:
    options = {"width": 16, "depth": 1} | ({"heads": 2} if name == "gpt" else {})
    return build.build(name, options, Tokens(20, length), NextTokens(20), seed=0)


class _Forgetful(nn.Module):
    """The same network without a memory of its own: it reads everything at each step."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, ids: Tensor) -> Tensor:
        return self.inner(ids)


@pytest.mark.parametrize("name", ["gpt", "lstm", "gru"])
def test_the_likeliest_text_is_the_same_with_and_without_memory(name: str) -> None:
    model, start = _model(name), torch.tensor([[5, 6, 7]])
    assert generate(model, start, most=9, taste=GREEDY) == generate(_Forgetful(model), start, most=9, taste=GREEDY)


def test_greedy_takes_the_argmax_of_the_whole_forward_pass() -> None:
    model, ids = _model("gpt").eval(), [5, 6, 7]
    (written,) = generate(model, torch.tensor([ids]), most=5, taste=GREEDY)
    for token in written:
        with torch.no_grad():
            assert token == int(model(torch.tensor([ids]))[0, -1].argmax())
        ids = [*ids, token]


def test_equal_seeds_give_equal_texts_and_other_seeds_others() -> None:
    model, start = _model("lstm"), torch.tensor([[5]] * 3)
    texts = [generate(model, start, most=20, taste=Taste(1.0), seed=seed) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]
    assert generate(model, start, most=20, taste=Taste(1.0, top_k=1), seed=1) == generate(model, start, most=20, taste=GREEDY)


def test_a_text_may_grow_beyond_what_the_network_was_trained_on() -> None:
    (written,) = generate(_model("gpt", length=8), torch.tensor([[5, 6]]), most=40, taste=Taste(1.0), seed=0)
    assert len(written) == 40


def test_writing_leaves_mode_and_generator_as_they_were() -> None:
    model = _model("gpt").train()
    before = torch.get_rng_state()
    generate(model, torch.tensor([[5]]), most=3, taste=Taste(1.0))
    assert model.training
    assert torch.equal(before, torch.get_rng_state())


def test_top_k_and_top_p_leave_only_the_likeliest() -> None:
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log().repeat(2000, 1)
    draw = torch.Generator().manual_seed(0)
    assert set(choose(logits, Taste(top_k=2), draw).tolist()) == {0, 1}
    assert set(choose(logits, Taste(top_p=0.6), draw).tolist()) == {0, 1}  # 0.5 alone is not enough
    assert set(choose(logits, Taste(top_p=0.01), draw).tolist()) == {0}
    shares = torch.bincount(choose(logits, Taste(), draw), minlength=4) / 2000
    assert torch.allclose(shares, torch.tensor([0.5, 0.3, 0.15, 0.05]), atol=0.04)


def test_the_end_ends_a_text_and_what_is_never_written_is_not() -> None:
    model = _model("gpt")
    rows = generate(model, torch.tensor([[5]] * 50), most=30, taste=Taste(1.0), seed=0, end=3, never=(0, 1, 2, 4))
    assert all(not {0, 1, 2, 3, 4} & set(row) for row in rows)
    assert {len(row) for row in rows} > {30}
