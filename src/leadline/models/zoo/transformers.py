"""Encoders, decoders and encoder-decoders of the library transformers, pretrained or from their configuration alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pydantic import Field

from leadline.base.spec import Spec as Settings
from leadline.models.model import Model
from leadline.models.suggestions import steps_for
from leadline.record.ports import Classes, Embeddings, NextTokens, PlaceClasses, Port, TokenPairs, Tokens, Values

if TYPE_CHECKING:
    from torch import nn


class LoraSpec(Settings):
    """Small matrices beside the frozen ones (Hu et al. 2021): what learns is a share of a per cent of the weights."""

    rank: int = Field(default=8, ge=1, le=1024)
    """Inner width of the pairs of matrices."""
    alpha: float = Field(default=16.0, gt=0)
    """What they add is multiplied by alpha / rank."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of their inputs that each training step blanks."""
    targets: tuple[str, ...] | None = None
    """Names of the layers that get them, such as [query, value]; null: every linear layer but the head."""


class Transformers(Model):
    """A network of transformers by hub id or local folder: `model=transformers/distilbert-base-uncased`, `model=transformers/./my-model`.

    Its weights are loaded (a download, for a hub id), its own tokenizer comes with it, and its head is made anew for your labels.
    Everything learns, at a low rate; `train.optimizer.depth_decay=0.9` lets the deep layers learn faster, `model.freeze=backbone` the head
    alone, `model.lora={rank: 8}` small matrices beside the frozen weights. These are added into the weights in `model/`, and stand alone in
    `adapter/`, where plain peft loads them. `model.scratch=true` takes the shape and random weights.
    """

    takes = (Tokens, TokenPairs)
    gives = (Classes, Values, PlaceClasses, Embeddings, NextTokens)

    class Spec(Settings):
        """Settings of a network of transformers."""

        variant: str | None = None
        """Hub id or folder; in a recipe it is written into the name: transformers/ID."""
        pretrained: bool = False
        """Has no effect here: weights are loaded unless `scratch` says otherwise."""
        scratch: bool = False
        """Random weights of the same shape."""
        config: dict[str, Any] | None = None
        """The configuration itself, with its model_type, in place of a hub id: needs no network; the weights are random then."""
        lora: LoraSpec | None = None
        """Learn small matrices beside the frozen weights; {} for the defaults."""
        dropout: float = Field(default=0.1, ge=0, lt=1)
        """Share of the features before the head that each training step blanks."""

    @classmethod
    def build(cls, spec: Settings, takes: Port, gives: Port) -> nn.Module:
        from leadline.models.nets.from_transformers import wrapped_transformers

        return wrapped_transformers(cast(Transformers.Spec, spec), cast("Tokens | TokenPairs", takes), gives)

    @classmethod
    def suggest(cls, *, takes: Port, num_examples: int) -> dict[str, Any]:
        """Fine-tuning as published: few passes at a low rate (Devlin et al. 2019, A.3)."""
        return {
            **steps_for(num_examples, batch_size=32, steps=650, most=10),
            "train.optimizer.lr": 5e-5,
            "train.optimizer.weight_decay": 0.01,
            "train.schedule.warmup": 0.1,
        }

    @classmethod
    def suggest_with(cls, options: dict[str, Any], *, takes: Port, num_examples: int) -> dict[str, Any]:
        """Small matrices bear, and need, a rate ten times higher; random weights a little more."""
        found = cls.suggest(takes=takes, num_examples=num_examples)
        lora = options.get("lora") is not None
        scratch = options.get("scratch") or options.get("config") is not None
        return {**found, "train.optimizer.lr": 1e-3 if lora else 5e-4} if lora or scratch else found

    @classmethod
    def tiny(cls) -> Spec:
        shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 64}
        return cls.Spec(config={"model_type": "bert", "is_decoder": False, **shape})
