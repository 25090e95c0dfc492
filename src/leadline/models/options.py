"""The words that settings of several networks share: activations, norms, initialisations. No torch."""

from __future__ import annotations

from typing import Literal

Activation = Literal["relu", "leaky_relu", "sigmoid", "tanh", "elu", "gelu", "silu"]
Norm = Literal["none", "batch", "layer", "group", "rms"]
Init = Literal["default", "xavier", "he"]
Categories = Literal["one_hot", "embed"]
