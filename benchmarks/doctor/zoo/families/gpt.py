"""A causal transformer over characters, written by hand as nanoGPT is; the head is tied to the embedding where asked."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo import score
from zoo.assemble import assemble
from zoo.data import texts
from zoo.program import Setup
from zoo.recipe import Recipe

# Letters: N rows, T places, H heads.
DATA = ("grammar", "sums")
LOCAL = {"shakespeare": "tinyshakespeare", "names": "names"}
GOOD = {"grammar": -0.85, "sums": -1.7, "shakespeare": -2.62, "names": -2.6}
STEPS = {"grammar": 220, "sums": 250, "shakespeare": 250, "names": 200}


class Block(nn.Module):
    """Pre-norm attention and a feed-forward part; mask False lets it look ahead (a fault's switch)."""

    def __init__(self, width: int, heads: int, dropout: float, mask: bool) -> None:
        super().__init__()
        self.heads, self.dropout, self.mask = heads, dropout, mask
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        """The block's output, N T width."""
        n, t, width = x.shape
        q, k, v = (part.view(n, t, self.heads, -1).transpose(1, 2) for part in self.qkv(self.norm1(x)).split(width, 2))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.mask, dropout_p=self.dropout if self.training else 0.0)
        x = x + self.proj(mixed.transpose(1, 2).reshape(n, t, width))
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    """Embeddings, blocks, a last norm and the head over the alphabet."""

    def __init__(self, vocab: int, width: int, depth: int, heads: int, dropout: float, mask: bool, tied: bool) -> None:
        super().__init__()
        self.tok = nn.Embedding(vocab, width)
        self.pos = nn.Embedding(64, width)
        self.blocks = nn.ModuleList(Block(width, heads, dropout, mask) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.lm_head = nn.Linear(width, vocab, bias=False)
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.05)  # GPT-2's 0.02, for a width of 48 instead of 768
        if tied:
            self.lm_head.weight = self.tok.weight

    def forward(self, ids: Tensor) -> Tensor:
        """Logits N T vocab."""
        x = self.tok(ids) + self.pos(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.norm(x))


class TokenLoss(nn.Module):
    """Cross-entropy over all places."""

    def __init__(self, **options: float) -> None:
        super().__init__()
        self.options = options

    def forward(self, logits: Tensor, ids: Tensor) -> Tensor:
        """The mean in nats."""
        return F.cross_entropy(logits.flatten(0, 1), ids.flatten(), **self.options)  # type: ignore[arg-type]


def model(
    vocab: int, *, width: int = 48, depth: int = 2, heads: int = 4, dropout: float = 0.0, mask: bool = True, tied: bool = False
) -> GPT:
    """The net of these sizes."""
    return GPT(vocab, width, depth, heads, dropout, mask, tied)


def build(data: str, recipe: Recipe, seed: int) -> Setup:
    """Train it on characters."""
    three, vocab = texts(data)
    options = {"width": 16 * round(3 * recipe.width), "depth": recipe.depth or 2, "dropout": min(recipe.dropout, 0.1)}
    return assemble(
        three=three,
        make_model=partial(model, vocab, tied=seed % 2 == 1, **options),
        loss_fn=TokenLoss(),
        recipe=recipe,
        seed=seed,
        base_lr=3e-3,
        steps=STEPS[data],
        batch_size=16,
        family="gpt",
        task="tokens",
        num_classes=vocab,
        head="lm_head",
        score=score.generation_likelihood(),
        chance=score.unigram(three[2][1], vocab),
        good=GOOD[data],
    )
