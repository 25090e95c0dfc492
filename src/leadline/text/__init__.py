"""Texts as numbers: tokenizers, learnt from the training texts or brought by a pretrained model. No torch."""

from __future__ import annotations
