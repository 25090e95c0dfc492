"""A recipe: what a run is. Parts by name, typed and validated; read from YAML, overridden with key.path=value."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field

from leadline.base import paper, yaml
from leadline.base.errors import InputError
from leadline.base.find import check_name, find, names
from leadline.base.nearest import nearest
from leadline.base.spec import Spec, Where
from leadline.data.settings import DataSpec
from leadline.training.settings import TrainSpec

SHORT_KEYS = {
    "target": "data.target",
    "model": "model.name",
    "epochs": "train.epochs",
    "batch_size": "train.batch_size",
    "lr": "train.optimizer.lr",
}
EVERYDAY = ("task", "data.source", "data.target", "model.name", "train.epochs", "train.batch_size", "train.optimizer.lr", "train.seed")
EDITOR = """\
# yaml-language-server: $schema=recipe.schema.json
# (for the editor's completion and checks: leadline schema --out recipe.schema.json)
"""


class ModelSpec(Spec):
    """Which network, and how a pretrained one is adapted. Further keys are the network's own (`leadline list models`)."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = "auto"
    """A network of the zoo, or any classifier of timm or torchvision by its name (`leadline list models`)."""
    pretrained: bool = False
    """Start from the library's published weights (a download)."""
    freeze: Literal["none", "backbone"] = "none"
    """backbone: only the head learns; weights and batch-norm statistics of the rest stay as they are."""
    unfreeze_every: int | None = Field(default=None, ge=1)
    """With freeze=backbone: every so many epochs the next deepest block starts to learn."""


class EvaluateSpec(Spec):
    """What is measured at the end."""

    metrics: tuple[str, ...] | Literal["auto"] = "auto"
    """Scores by name (`leadline list metrics`); auto: those of the task."""
    groups: str | None = None
    """Column whose values get scores of their own."""
    baselines: bool = True
    """Train a majority, a linear and a gradient-boosted baseline beside the network."""


class CheckSpec(Spec):
    """The preflight, and the doctor at the training."""

    ignore: dict[str, str] = Field(default_factory=dict)
    """Finding code to the reason why it is accepted."""
    doctor: Literal["on", "watch", "off"] = "on"
    """on: the doctor tries the set-up on a copy first, and then watches training; watch: it only watches. It changes no bit of the run."""


class Recipe(Spec):
    """A whole run."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    """Version of the recipe's form."""
    task: str | None = None
    """A file of tasks/kinds; inferred from the data when left out."""
    data: DataSpec = DataSpec()
    model: ModelSpec = ModelSpec()
    train: TrainSpec = TrainSpec()
    check: CheckSpec = CheckSpec()
    evaluate: EvaluateSpec = EvaluateSpec()


def read(target: Any) -> Recipe:
    """The recipe in a YAML file (path), in a dict, or as it is.

    A relative data.source is sought in the current folder, then beside the recipe file.
    Raises InputError LL001, LL021, LL022, LL023, LL030 or LL034 with the file's line.
    """
    if isinstance(target, Recipe):
        return target
    if isinstance(target, Mapping):
        return _build(dict(target), "the recipe")
    path = Path(target)
    if not path.is_file():
        raise InputError("LL001", f"there is no recipe {target}", where=str(target), help="leadline new DATA  writes one")
    try:
        document = yaml.read_mapping(path.read_text(encoding="utf-8"), path.name)
    except UnicodeDecodeError as error:
        raise InputError("LL034", f"{path.name} is not UTF-8 text: {error.reason}", where=str(path), help="save it as UTF-8") from None
    return _beside(_build(document.values, document.where), path.parent)


def from_target(target: Any) -> Recipe:
    """What a user names first: a recipe (YAML file, dict, Recipe), or data, from which a recipe of defaults is made."""
    if isinstance(target, Recipe | Mapping) or (isinstance(target, str | Path) and Path(target).suffix in (".yaml", ".yml")):
        return read(target)
    if isinstance(target, str | Path) and (Path(target) / "run.json").is_file():
        ways = f"leadline resume {target}   or   leadline train {target}/recipe.yaml"
        raise InputError("LL004", f"{target} is a run, not data", where=str(target), help=ways)
    return Recipe(data=DataSpec(source=str(target) if isinstance(target, Path) else target))


def override(recipe: Recipe, words: Sequence[str]) -> Recipe:
    """The recipe with `key.path=value` words applied; values are YAML. Raises LL030 with both values when two words contradict."""
    pairs = [word.partition("=") for word in words]
    return _change(recipe, [(key, yaml.read_value(value, key), f"{key}={value}") for key, _, value in pairs])


def change(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with values of short keys, dotted keys or whole blocks replaced: the Python face of `override`."""
    return _change(recipe, [(key, value, f"{key}={value!r:.60}") for key, value in values.items()])


def given(recipe: Recipe) -> set[str]:
    """The dotted keys the user set ("train.epochs"), which no guess may override."""
    return paper.given_keys(recipe)


def to_yaml(recipe: Recipe) -> str:
    """The whole recipe, every default written out; reading it back gives an equal recipe. An object in memory becomes a null source."""
    return EDITOR + "\n".join(paper.lines(paper.values(recipe))) + "\n"


def commented(recipe: Recipe) -> str:
    """A recipe to edit: what is set and what is often changed, then every other key commented out with its default and its sentence."""
    head = "# A leadline recipe. Lines behind a # show the defaults: take the # away to change one.\n\n"
    return EDITOR + head + "\n".join(paper.commented_lines(recipe, EVERYDAY)) + "\n"


def schema() -> dict[str, Any]:
    """JSON Schema of recipe files, with the names of all parts and each network's own settings. Imports no torch."""
    whole = Recipe.model_json_schema(by_alias=True)
    blocks = whole["$defs"]
    _names(whole["properties"]["task"], names("tasks.kinds"))
    _names(blocks["DataSpec"]["properties"]["kind"], names("data.sources"))
    blocks["EvaluateSpec"]["properties"]["metrics"]["anyOf"][0]["items"]["enum"] = names("evaluate.metrics")
    blocks["ModelSpec"].update(_model_schema(blocks["ModelSpec"]["properties"], blocks))
    for block in (whole, *blocks.values()):
        _or_null(block.get("properties", {}))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole, "title": "leadline recipe"}


def _build(values: dict[str, Any], where: Where) -> Recipe:
    """A checked recipe: keys, kinds and limits, then names, then what contradicts itself."""
    recipe = Recipe.read(paper.without_empty_blocks(values, Recipe), where)
    _check_names(recipe, where)
    _check_sense(recipe, where)
    return recipe


def _beside(recipe: Recipe, folder: Path) -> Recipe:
    source = recipe.data.source
    if not isinstance(source, str) or Path(source).exists() or not (folder / source).exists():
        return recipe
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"source": str(folder / source)})})


def _change(recipe: Recipe, changes: list[tuple[str, Any, str]]) -> Recipe:
    values = copy.copy(paper.given(recipe))
    said: dict[str, tuple[Any, str]] = {}
    for key, value, word in changes:
        path = _path(key, value)
        _no_contradiction(said, path, value, word)
        said[path] = (value, word)
        _put(values, path.split("."), value)
    return _build(values, lambda path: next((word for key, (_, word) in said.items() if _touches(key, ".".join(path))), "the recipe"))


def _path(key: str, value: Any) -> str:
    return key if isinstance(value, Mapping) else SHORT_KEYS.get(key, key)


def _touches(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _no_contradiction(said: dict[str, tuple[Any, str]], path: str, value: Any, word: str) -> None:
    for earlier, (old, old_word) in said.items():
        same = earlier == path and old == value and type(old) is type(value)
        inside = earlier != path and (isinstance(old, Mapping) or isinstance(value, Mapping))
        if _touches(earlier, path) and not same and not inside:
            raise InputError("LL030", f"{old_word} and {word} contradict each other", where=path, help="give one of the two")


def _put(values: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        inner = values.get(part)
        values[part] = dict(inner) if isinstance(inner, Mapping) else {}
        values = values[part]
    old = values.get(path[-1])
    if isinstance(value, Mapping) and isinstance(old, Mapping):
        for key, inner in value.items():
            _put(values, [path[-1], str(key)], inner)
    else:
        values[path[-1]] = dict(value) if isinstance(value, Mapping) else value


def _check_names(recipe: Recipe, where: Where) -> None:
    for shelf, name, path in (("tasks.kinds", recipe.task, ("task",)), ("data.sources", recipe.data.kind, ("data", "kind"))):
        if name is not None:
            check_name(shelf, name, where=_at(where, path))
    for metric in () if recipe.evaluate.metrics == "auto" else recipe.evaluate.metrics:
        check_name("evaluate.metrics", metric, where=_at(where, ("evaluate", "metrics")))
    _check_model(recipe.model, where)


def _check_model(model: ModelSpec, where: Where) -> None:
    """The network's name and its own settings, against its Spec; what the common keys are called counts for a misspelt one, too."""
    own, fixed = _own_settings(model.name, where)
    options = dict(model.model_extra or {})
    known = {**ModelSpec.model_fields, **({} if own is None else own.model_fields)}
    for key in options:
        if key in fixed or key not in known:
            close = nearest(key, [name for name in known if name not in fixed])
            hint = f"did you mean  model.{close}  ?" if close else f"keys there: {', '.join(sorted({*known} - {*fixed}))}"
            whose = f"of {model.name}" if own else "(the settings of a network need its name, model.name)"
            raise InputError("LL021", f"unknown key '{key}' at model {whose}", where=_at(where, ("model", key)), help=hint)
    if own is not None:
        own.read({**fixed, **options}, where, above=("model",))


def _own_settings(name: str, where: Where) -> tuple[type[Spec] | None, dict[str, Any]]:
    """The Spec of the network called `name`, and what the name itself says in it; (None, {}) for "auto"."""
    if name == "auto":
        return None, {}
    from leadline.models.build import resolve

    try:
        part, variant = resolve(name)
    except InputError as error:
        raise InputError(error.code, error.message, where=_at(where, ("model", "name")), help=error.help) from None
    return part.Spec, {} if variant is None else {"variant": variant}


def _check_sense(recipe: Recipe, where: Where) -> None:
    """Values that are each valid and cannot both hold."""
    split, optimizer, model = recipe.data.split, recipe.train.optimizer, recipe.model
    ways = [f"data.split.{key}={getattr(split, key)}" for key in ("by", "time", "own") if getattr(split, key) is not None]
    pairs = [
        (
            split.val + split.test >= 1,
            ("data", "split"),
            f"data.split.val={split.val:g} and data.split.test={split.test:g} leave nothing to train on",
        ),
        (len(ways) > 1, ("data", "split"), f"{' and '.join(ways)}: the data can be cut in one way only"),
        (
            optimizer.nesterov and optimizer.name not in ("auto", "sgd", "muon"),
            ("train", "optimizer"),
            f"train.optimizer.nesterov=true and train.optimizer.name={optimizer.name}: only sgd and muon look ahead",
        ),
        (
            model.unfreeze_every is not None and model.freeze == "none",
            ("model",),
            f"model.unfreeze_every={model.unfreeze_every} and model.freeze=none: nothing is frozen",
        ),
    ]
    for wrong, path, message in pairs:
        if wrong:
            raise InputError("LL030", message, where=_at(where, path), help="change one of the two")


def _at(where: Where, path: tuple[str, ...]) -> str:
    return f"{where}, {'.'.join(path)}" if isinstance(where, str) else where(path)


def _or_null(properties: dict[str, Any]) -> None:
    """A block whose keys are all commented out is null and means its defaults."""
    for name, field in properties.items():
        if "$ref" in field:
            rest = {key: value for key, value in field.items() if key != "$ref"}
            properties[name] = {**rest, "anyOf": [{"$ref": field["$ref"]}, {"type": "null"}]}


def _names(field: dict[str, Any], choices: list[str]) -> None:
    for branch in field["anyOf"]:
        if branch.get("type") == "string":
            branch["enum"] = choices


def _model_schema(common: dict[str, Any], blocks: dict[str, Any]) -> dict[str, Any]:
    """The `model` block: the common keys, and for each network of the zoo its own."""
    branches = []
    for name in names("models.zoo"):
        own = find("models.zoo", name).Spec.model_json_schema(ref_template="#/$defs/{model}")
        blocks.update(own.pop("$defs", {}))
        keys = sorted({*common, *own.get("properties", {})})
        branches.append(
            {
                "if": {"properties": {"name": {"const": name}}, "required": ["name"]},
                "then": {"properties": own.get("properties", {}), "propertyNames": {"enum": keys}},
            }
        )
    named = [{"enum": ["auto", *names("models.zoo")]}, {"type": "string"}]  # any classifier of timm and torchvision, by its name
    return {"properties": {**common, "name": {**common["name"], "anyOf": named}}, "allOf": branches}
