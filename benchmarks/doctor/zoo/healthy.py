"""The healthy zoo: random sound recipes of every family, each scary trait several times, and whole programs of unusual kinds."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache, partial
from typing import Any

from zoo.daring import DARING
from zoo.families import FAMILIES, data_sets
from zoo.program import Program, Setup
from zoo.recipe import Recipe
from zoo.traits import TRAITS, Trait
from zoo.unusual import UNUSUAL

ADAPTIVE = ("adam", "adamw", "nadam", "radam", "rmsprop")
ANY = (*ADAPTIVE, "sgd", "momentum", "nesterov", "adagrad")
SMOOTH = ("relu", "gelu", "silu", "tanh", "elu", "leaky", "mish")
# What people train each family with: (optimizers, activations, norms, dropouts, batch sizes, depths).
CHOICES: dict[str, tuple[tuple[Any, ...], ...]] = {
    "mlp": (ANY, SMOOTH, (None, "batch", "layer"), (0.0, 0.1, 0.3), (16, 32, 64), (1, 2, 3)),
    "cnn_bn": (ANY, ("relu", "gelu", "silu", "leaky"), (None, None, "group"), (0.0, 0.2, 0.4), (16, 32, 64), (3,)),
    "resnet": (ANY, ("relu", "gelu", "silu"), (None, None, "group"), (0.0, 0.2), (16, 32), (2,)),
    "rnn": (ADAPTIVE, (None,), (None,), (0.0, 0.1, 0.2), (16, 32), (1,)),
    "encoder": (ADAPTIVE, ("relu", "gelu"), (None,), (0.0, 0.1), (16, 32), (1, 2)),
    "gpt": (ADAPTIVE, (None,), (None,), (0.0, 0.1), (16, 24), (1, 2)),
    "vit": (ADAPTIVE, (None,), (None,), (0.0, 0.05), (32, 48), (1, 2)),
    "autoencoder": (ADAPTIVE, SMOOTH, (None,), (0.0,), (16, 32, 64), (1,)),
    "vae": (("adam", "adamw", "nadam"), SMOOTH, (None,), (0.0,), (32, 64), (1,)),
    "gcn": (ADAPTIVE, ("relu", "elu", "tanh"), (None,), (0.0, 0.3, 0.5), (1,), (2,)),
    "unet": (ADAPTIVE, ("relu", "silu", "leaky"), (None, "group"), (0.0, 0.1), (8, 16), (1,)),
    "lora": (("adam", "adamw", "nadam"), (None,), (None,), (0.0,), (16, 32), (1,)),
    "diffusion": (("adam", "adamw", "nadam"), ("silu", "gelu", "relu"), (None,), (0.0,), (64, 128), (2, 3)),
}
INITS = ("default", "default", "kaiming", "xavier", "orthogonal")
SCHEDULES = ("none", "none", "cosine", "warmup", "onecycle", "step", "exponential", "linear")


def sound(family: str, dice: random.Random) -> Recipe:
    """One sound recipe of the family."""
    optimizers, activations, norms, dropouts, batches, depths = CHOICES[family]
    optimizer = dice.choice(optimizers)
    return Recipe(
        optimizer=optimizer,
        lr=round(dice.choice((0.6, 0.8, 1.0, 1.0, 1.3)), 2),
        weight_decay=dice.choice((0.0, 0.0, 1e-4, 1e-3)) if optimizer != "adamw" else dice.choice((0.01, 0.05)),
        schedule=dice.choice(SCHEDULES),
        batch_size=dice.choice(batches),
        activation=dice.choice(activations),
        dropout=dice.choice(dropouts),
        norm=dice.choice(norms),
        init=dice.choice(INITS if family in ("mlp", "cnn_bn", "autoencoder", "unet") else INITS[:1]),
        width=dice.choice((0.75, 1.0, 1.0, 1.5)),
        depth=dice.choice(depths),
        clip=dice.choice((None, None, None, 1.0, 5.0)),
    )


def make(family: str, data: str, recipe: Recipe, traits: tuple[Trait, ...], seed: int) -> Setup:
    """The family's set-up under the recipe, changed by the traits in turn."""
    setup = FAMILIES[family].build(data, recipe, seed)
    for trait in traits:
        setup = replace(trait.change(setup), seed=seed)
    return setup


def program(family: str, data: str, recipe: Recipe, *traits: Trait) -> Program:
    """The healthy program of these parts, named by them."""
    words = " ".join([recipe.words, *(f"+{trait.name}" for trait in traits)])
    made = partial(make, family, data, recipe, traits)
    return Program(f"{family}/{data}/{words}", family, data, words, made, traits=tuple(trait.name for trait in traits))


@cache
def sample(family: str, data: str) -> Setup:
    """A plain set-up to look at: whether a trait fits."""
    return FAMILIES[family].build(data, Recipe(), 0)


def with_trait(trait: Trait, rounds: int, local: bool) -> list[Program]:
    """The trait in some places of its families: on sets that stand everywhere, or on those of the local folder."""
    dice = random.Random(f"{trait.name} {local}")  # dice of its own: no program hangs on what else there is
    module = FAMILIES.__getitem__
    places = [(family, data) for family in trait.families for data in (module(family).LOCAL if local else module(family).DATA)]
    dice.shuffle(places)
    places = [place for place in places if place[1] in data_sets(place[0]) and trait.fits(sample(*place))]
    found: list[Program] = []
    for turn in range(rounds if places else 0):
        family, data = places[turn % len(places)]
        recipe = Recipe(batch_size=dice.choice(CHOICES[family][4]), width=1.0 if turn < len(places) else 1.25)
        found.append(program(family, data, recipe, trait))
    return found


def with_recipes(count: int) -> list[Program]:
    """Random sound recipes, the families in turn and their data sets in turn; sets that are not here are passed over."""
    dice, names, found = random.Random(0), list(FAMILIES), []
    for turn in range(count):
        family = names[turn % len(names)]
        sets = (*FAMILIES[family].DATA, *FAMILIES[family].LOCAL)
        data, recipe = sets[turn // len(names) % len(sets)], sound(family, dice)
        if data in data_sets(family):
            found.append(program(family, data, recipe))
    return found


def programs() -> list[Program]:
    """The healthy programs, the same every time; with the local folder about 390, without it about 310."""
    traits = [one for trait in TRAITS for one in (*with_trait(trait, 3, False), *with_trait(trait, 1, True))]
    found = [*UNUSUAL, *DARING, *traits, *with_recipes(195)]
    return list({one.name: one for one in found}.values())
