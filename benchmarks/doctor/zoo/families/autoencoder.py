"""An autoencoder: linear layers for rows, convolutions for pictures; the loss is against the input itself."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from zoo import score
from zoo.assemble import assemble
from zoo.data import Three, images
from zoo.program import Setup
from zoo.recipe import ACTIVATIONS, Recipe

DATA = ("digits", "conv_digits", "textures")
LOCAL = {"mnist": "mnist-10k", "fashion": "fashion-mnist"}
GOOD = {"digits": 0.6, "conv_digits": 0.55, "textures": 0.15, "mnist": 0.6, "fashion": 0.7}


class AutoEncoder(nn.Module):
    """encoder, decoder: what people name them."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, x: Tensor) -> Tensor:
        """The reconstruction, in the input's shape."""
        return self.decoder(self.encoder(x)).view_as(x)


def model(
    shape: tuple[int, ...], *, width: int = 64, code: int = 16, activation: type[nn.Module] = nn.ReLU, conv: bool = False
) -> AutoEncoder:
    """The net of these sizes; conv wants pictures whose sides are multiples of 4."""
    if conv:
        c, side = shape[0], shape[1] // 4
        encoder = nn.Sequential(
            nn.Conv2d(c, 12, 3, 2, 1),
            activation(),
            nn.Conv2d(12, 24, 3, 2, 1),
            activation(),
            nn.Flatten(),
            nn.Linear(24 * side * side, code),
        )
        decoder = nn.Sequential(
            nn.Linear(code, 24 * side * side),
            activation(),
            nn.Unflatten(1, (24, side, side)),
            nn.ConvTranspose2d(24, 12, 4, 2, 1),
            activation(),
            nn.ConvTranspose2d(12, c, 4, 2, 1),
        )
        return AutoEncoder(encoder, decoder)
    size = shape[0] * shape[1] * shape[2]
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(size, width), activation(), nn.Linear(width, code))
    return AutoEncoder(encoder, nn.Sequential(nn.Linear(code, width), activation(), nn.Linear(width, size)))


def build(data: str, recipe: Recipe, seed: int) -> Setup:
    """Train it on pictures."""
    conv = data in ("conv_digits", "textures")
    parts = images(data.removeprefix("conv_"))
    three: Three = tuple((part[0], part[0]) for part in parts)  # type: ignore[assignment]
    options = {"width": int(64 * recipe.width), "activation": ACTIVATIONS[recipe.activation or "relu"], "conv": conv}
    return assemble(
        three=three,
        make_model=partial(model, tuple(three[0][0].shape[1:]), **options),
        loss_fn=nn.MSELoss(),
        recipe=recipe,
        seed=seed,
        base_lr=3e-3,
        steps=350,
        batch_size=32,
        family="autoencoder",
        task="reconstruct",
        head="decoder.5" if conv else "decoder.2",
        score=score.r_squared(),
        chance=0.0,
        good=GOOD[data],
    )
