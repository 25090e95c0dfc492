"""What ports and settings imply for a network's shape, checked before torch is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadline.base.errors import InputError
from leadline.models.transformers_options import TransformerSettings
from leadline.record.ports import Classes, Frames, Images, Port, Rows, Tokens, Values

if TYPE_CHECKING:
    from leadline.models.nets.transformer import Style


def num_outputs(gives: Port) -> int:
    """Width of the head: one logit per class, or one number per value."""
    if isinstance(gives, Classes):
        return gives.num_classes
    if isinstance(gives, Values):
        return gives.num_values
    raise TypeError(f"a head gives Classes or Values, not {gives}")


def num_features(takes: Port) -> int:
    """Numbers that one example holds with its categories one-hot."""
    if isinstance(takes, Images):
        return takes.channels * takes.height * takes.width
    if isinstance(takes, Rows):
        return takes.num_numbers + sum(takes.category_sizes)
    raise TypeError(f"a network takes Images or Rows, not {takes}")


def images_of(takes: Port, *, at_least: int, name: str) -> Images:
    """The port as Images; raises InputError LL022 when a side has fewer than `at_least` pixels."""
    if not isinstance(takes, Images):
        raise TypeError(f"{name} takes Images, not {takes}")
    if min(takes.height, takes.width) < at_least:
        raise InputError(
            "LL022",
            f"images of {takes.height} x {takes.width} pixels are too small for {name}, which takes {at_least} pixels a side and more",
            where="model",
            help=f"data.image_size={at_least}, or model=mlp",
        )
    return takes


def tokens_of(takes: Port) -> Tokens:
    """The port as Tokens."""
    if not isinstance(takes, Tokens):
        raise TypeError(f"this network takes Tokens, not {takes}")
    return takes


def sequence_of(takes: Port) -> Tokens | Frames:
    """The port as a sequence."""
    if not isinstance(takes, Tokens | Frames):
        raise TypeError(f"this network takes Tokens or Frames, not {takes}")
    return takes


def transformer_style(spec: TransformerSettings) -> Style:
    """The settings as the blocks take them."""
    from leadline.models.nets.transformer import Style

    return Style(spec.width, spec.heads, spec.depth, spec.dropout, spec.positions, spec.norm, spec.norm_first, spec.gated)
