"""From a model's name and settings to a module, and to and from the JSON that rebuilds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leadline.base.errors import InputError
from leadline.base.find import find, names
from leadline.base.nearest import did_you_mean
from leadline.base.spec import Spec
from leadline.models.libraries import LIBRARIES, architecture, library_names
from leadline.models.model import Model
from leadline.record import ports
from leadline.record.ports import Port

if TYPE_CHECKING:
    from torch import nn

SHELF = "models.zoo"
ANY = "transformers"
"""The library whose networks go by hub ids and folders, which no list holds."""


def resolve(name: str) -> tuple[type[Model], str | None]:
    """The part that builds the model `name`, and for a library's network its name there.

    `name` is a file of the zoo, "timm/NAME", "torchvision/NAME", or the bare NAME of either, timm's first. Imports neither torch nor the
    libraries. Raises InputError LL023 with the nearest name, LL024 when the library is not installed.
    """
    library, slash, variant = name.partition("/")
    if slash and library == ANY:
        return find(SHELF, ANY), variant
    if slash:
        return find(SHELF, _library(name, library)), _variant(library, variant)
    if name in names(SHELF) and name not in LIBRARIES:
        return find(SHELF, name), None
    for library in LIBRARIES:
        if architecture(name) in library_names(library):
            return find(SHELF, library), name
    raise _unknown(name)


def validate(name: str, options: dict[str, Any], where: str) -> Spec:
    """The settings of the model `name`, checked. Raises InputError LL021 (unknown key), LL022 (bad value), LL023 (unknown name)."""
    part, variant = resolve(name)
    if variant is None:
        return part.Spec.read(options, where)
    reserved = [key for key in ("variant", "pretrained") if key in options]
    if reserved:
        raise InputError("LL021", f"unknown key '{reserved[0]}' at {where}", where=where, help="the network's name stands in  model.name")
    return part.Spec.read({"variant": variant, **options}, where)


def build(name: str, options: dict[str, Any], takes: Port, gives: Port, *, seed: int, pretrained: bool = False) -> nn.Module:
    """A fresh module on the CPU; equal arguments give equal weights, and torch's generator is left as it was.

    options: the settings beside the name. Raises InputError LL030 when the model does not take or give what is asked, LL022 when it has no
    published weights, LL006 when they cannot be downloaded, and what `validate` raises.
    """
    part, variant = resolve(name)
    spec = validate(name, options, "model")
    check_ports(name, takes=takes, gives=gives)
    if pretrained:
        spec = _with_published_weights(name, spec, variant)
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # not torch.manual_seed, which also seeds every GPU
        return part.build(spec, takes, gives)


def to_config(name: str, options: dict[str, Any], takes: Port, gives: Port) -> dict[str, Any]:
    """Plain JSON that `from_config` rebuilds the same module from; defaults are written out, so that later ones change nothing."""
    spec = validate(name, options, "model")
    settings = spec.model_dump(mode="json", exclude={"variant", "pretrained"})
    return {"name": full_name(name), "options": settings, "takes": ports.to_dict(takes), "gives": ports.to_dict(gives)}


def from_config(config: dict[str, Any]) -> nn.Module:
    """The module that `to_config` described, with weights of seed 0 (load the stored ones); never downloads."""
    takes, gives = ports.from_dict(config["takes"]), ports.from_dict(config["gives"])
    return build(config["name"], config["options"], takes, gives, seed=0)


def full_name(name: str) -> str:
    """The name with its library: "timm/resnet18" for "resnet18"; names of the zoo stay as they are."""
    part, variant = resolve(name)
    return name if variant is None else f"{part.__name__.lower()}/{variant}"


def _library(name: str, library: str) -> str:
    if library not in LIBRARIES:
        hint = did_you_mean(library, LIBRARIES, else_say=f"there are: {', '.join(f'{each}/NAME' for each in LIBRARIES)}")
        raise InputError("LL023", f"there is no library '{library}' for the model '{name}'", where="model", help=hint)
    return library


def _variant(library: str, variant: str) -> str:
    known = library_names(library)
    if not known:
        message = f"'{library}/{variant}' needs the package {library}, which is not installed"
        raise InputError("LL024", message, where="model", help='pip install "leadline[vision]"')
    if architecture(variant) not in known:
        hint = did_you_mean(variant, sorted(known), else_say=f"its {len(known):,} networks: leadline list models")
        raise InputError("LL023", f"{library} has no classifier called '{variant}'", where="model", help=hint)
    return variant


def _unknown(name: str) -> InputError:
    own = [each for each in names(SHELF) if each not in LIBRARIES]
    libraries = [each for library in LIBRARIES for each in sorted(library_names(library))]
    known = f"there are: {', '.join(own)}, or {' or '.join(f'{library}/NAME' for library in LIBRARIES)}"
    return InputError("LL023", f"there is no model '{name}'", where="model", help=did_you_mean(name, [*own, *libraries], else_say=known))


def check_ports(name: str, *, takes: Port, gives: Port) -> None:
    """Refuse, with InputError LL030 that lists the fitting models, one that does not take or give what is asked."""
    part, _ = resolve(name)
    if isinstance(takes, part.takes) and isinstance(gives, part.gives):
        return
    fitting = [each for each in names(SHELF) if isinstance(takes, find(SHELF, each).takes) and isinstance(gives, find(SHELF, each).gives)]
    shown = [f"{each}/NAME" if each in LIBRARIES else each for each in fitting]
    asked = f"{_said((type(takes),))} to {_said((type(gives),))}"
    raise InputError(
        "LL030",
        f"model '{name}' takes {_said(part.takes)} and gives {_said(part.gives)}; asked: {asked}",
        where="model.name",
        help=f"models for this: {', '.join(shown)}",
    )


def _said(kinds: tuple[type, ...]) -> str:
    return " or ".join(kind.__name__.lower() for kind in kinds)


def _with_published_weights(name: str, spec: Spec, variant: str | None) -> Spec:
    if variant is None:
        message = f"model '{name}' has no published weights"
        raise InputError("LL022", message, where="model.pretrained", help="pretrained=false, or a library's network: timm/resnet18")
    return spec.model_copy(update={"pretrained": True})
