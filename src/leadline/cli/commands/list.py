"""`leadline list`: the parts there are."""

from __future__ import annotations

import fnmatch
import inspect

import click

from leadline.base.codes import CODES
from leadline.base.errors import InputError
from leadline.base.find import find, module, names, sentences
from leadline.base.nearest import did_you_mean
from leadline.cli.screen import Screen, columns
from leadline.cli.verb import verb
from leadline.doctor.pages import pages

SHELVES = {
    "tasks": "tasks.kinds",
    "models": "models.zoo",
    "metrics": "evaluate.metrics",
    "sources": "data.sources",
    "formats": "ship.formats",
    "rules": None,
}
LIBRARIES = ("timm", "torchvision")


@verb("Reference")
@click.argument("kind", required=False, metavar="[tasks|models|metrics|sources|formats|rules]")
@click.argument("pattern", required=False)
def command(screen: Screen, kind: str | None, pattern: str | None) -> None:
    """List the tasks, models, metrics, sources, formats or rules.

    PATTERN narrows the list (leadline list models 'timm/*resnet*'); the name of one part shows its page.
    """
    if kind is None:
        return _kinds(screen)
    if kind not in SHELVES:
        raise InputError("LL035", f"there is no list of '{kind}'", where="command line", help=did_you_mean(kind, SHELVES))
    shelf = SHELVES[kind]
    if kind == "models" and pattern and "/" in pattern and pattern.split("/")[0] in LIBRARIES:
        return _library(screen, pattern)
    if shelf is not None and pattern in names(shelf):
        return _page(screen, shelf, pattern)
    found = _codes() if shelf is None else sentences(shelf)
    chosen = {name: text for name, text in found.items() if fnmatch.fnmatch(name, pattern or "*")}
    if pattern and not chosen:
        raise InputError(
            "LL023", f"there is nothing like '{pattern}' among {kind}", where="command line", help=did_you_mean(pattern, found)
        )
    for name, text in chosen.items():
        screen.give({"name": name, "about": text})
    screen.show("\n".join(columns(chosen.items())) if chosen else f"there are no {kind} in this version")
    if kind == "models" and not pattern:
        screen.show("  timm/NAME, torchvision/NAME  every classifier of these libraries: leadline list models 'timm/*resnet*'")
    return _next(screen, kind, list(chosen))


def _codes() -> dict[str, str]:
    """The doctor's rules and the errors, by code."""
    return {name: page.title for name, page in {**pages(), **CODES}.items()}


def _next(screen: Screen, kind: str, chosen: list[str]) -> None:
    example = chosen[0] if chosen else "tasks"
    words = {"rules": ("rule", example)}.get(kind, ("list", kind, example) if chosen else ("list", "tasks"))
    screen.next("leadline", *words)


def _kinds(screen: Screen) -> None:
    counts = {kind: len(_codes() if shelf is None else names(shelf)) for kind, shelf in SHELVES.items()}
    screen.give(counts)
    screen.show("\n".join(columns((kind, str(count)) for kind, count in counts.items())))
    screen.next("leadline", "list", "models")


def _page(screen: Screen, shelf: str, name: str) -> None:
    """The part's docstring, and for a model its settings."""
    part = find(shelf, name)
    text = inspect.getdoc(part) or ""
    spec = getattr(part, "Spec", None) if shelf == "models.zoo" else None
    screen.give({"name": name, "page": text, "settings": spec.model_json_schema() if spec else None})
    screen.head(name)
    screen.show(text)
    if spec is not None:
        from leadline.base.paper import commented_lines

        lines = [f"  {line}".replace("# ", "", 1) for line in commented_lines(spec(), ())]
        screen.section(f"settings (model.KEY=VALUE, beside model={name})", lines)
    screen.next("leadline", "list", next(kind for kind, known in SHELVES.items() if known == shelf))


def _library(screen: Screen, pattern: str) -> None:
    """Names of a library's models; importing it takes seconds, so it is done only when asked for."""
    library, _, wanted = pattern.partition("/")
    wanted = wanted or "*"
    found = module("timm").list_models(wanted) if library == "timm" else _torchvision(wanted)
    if not found:
        raise InputError(
            "LL023", f"{library} has no model like '{wanted}'", where="command line", help=f"leadline list models '{library}/*'"
        )
    for name in found:
        screen.give({"name": f"{library}/{name}"})
    screen.show("\n".join(f"  {library}/{name}" for name in found))
    screen.next("leadline", "new", "photos/", f"model={library}/{found[0]}")


def _torchvision(wanted: str) -> list[str]:
    models = module("torchvision.models")
    return models.list_models(module=models, include=wanted)
