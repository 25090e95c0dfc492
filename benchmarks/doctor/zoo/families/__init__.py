"""The families of nets by name, and the data sets that each can have here."""

from __future__ import annotations

from functools import partial
from types import ModuleType

from zoo.data import has
from zoo.families import autoencoder, cnn_bn, diffusion, encoder, gcn, gpt, lora, mlp, resnet, rnn, unet, vae, vit
from zoo.program import Program
from zoo.recipe import Recipe

FAMILIES: dict[str, ModuleType] = {
    module.__name__.rsplit(".", 1)[1]: module
    for module in (mlp, cnn_bn, resnet, rnn, encoder, gpt, vit, autoencoder, vae, gcn, unet, lora, diffusion)
}


def data_sets(family: str) -> tuple[str, ...]:
    """The family's own sets, then those of the local folder that are present."""
    module = FAMILIES[family]
    return (*module.DATA, *(name for name, folder in module.LOCAL.items() if has(folder)))


def plain(family: str, data: str, recipe: Recipe | None = None) -> Program:
    """The family's healthy program on a set, by default with its plain recipe: what faults are planted into."""
    recipe = recipe or Recipe()
    name = f"{family}/{data}/{recipe.words}"
    return Program(name=name, family=family, data=data, recipe=recipe.words, make=partial(FAMILIES[family].build, data, recipe))
