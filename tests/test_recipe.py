"""Recipes: read, changed and written without losing or inventing a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from leadline import recipe
from leadline.base.errors import InputError
from leadline.recipe import Recipe

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
SHARE = st.floats(0, 0.49, allow_nan=False)
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "task": st.sampled_from(["classify_images", "classify_table", "regress_table"]),
        "data": st.fixed_dictionaries(
            {},
            optional={
                "source": TEXT,
                "target": TEXT | st.integers(),
                "ignore": st.lists(TEXT, max_size=4),
                "header": st.none() | st.booleans(),
                "split": st.fixed_dictionaries({}, optional={"val": SHARE, "test": SHARE, "by": st.none() | TEXT}),
            },
        ),
        "train": st.fixed_dictionaries(
            {},
            optional={
                "epochs": st.just("auto") | st.integers(1, 10**6),
                "clip_norm": st.none() | st.floats(1e-9, 1e9),
                "early_stop": st.sampled_from(["auto", None]) | st.fixed_dictionaries({"patience": st.integers(1, 99)}),
                "optimizer": st.fixed_dictionaries({}, optional={"lr": st.floats(1e-12, 1e3), "betas": st.just([0.9, 0.95])}),
            },
        ),
        "check": st.fixed_dictionaries({"ignore": st.dictionaries(TEXT, TEXT, max_size=3)}),
    },
)


def write(text: str, name: str = "recipe.yaml") -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@forall(PARTS)
def test_a_recipe_written_and_read_again_is_equal(values: dict[str, Any]) -> None:
    made = recipe.read(values)
    assert recipe.read(write(recipe.to_yaml(made))) == made


@forall(PARTS)
def test_a_commented_recipe_read_again_is_equal(values: dict[str, Any]) -> None:
    made = recipe.read(values)
    assert recipe.read(write(recipe.commented(made))) == made


@forall(st.integers(1, 10**9), st.floats(1e-12, 1e3))
def test_overriding_equals_writing_the_keys_nested(epochs: int, lr: float) -> None:
    changed = recipe.override(Recipe(), [f"epochs={epochs}", f"train.optimizer.lr={lr!r}", "data.split={val: 0.2}"])
    nested = recipe.read({"train": {"epochs": epochs, "optimizer": {"lr": lr}}, "data": {"split": {"val": 0.2}}})
    assert changed == nested
    assert recipe.given(changed) == recipe.given(nested) == {"train.epochs", "train.optimizer.lr", "data.split.val"}


def test_a_small_number_in_yaml_is_a_number_and_no_is_text() -> None:
    read = recipe.read(write("train: {optimizer: {lr: 1e-3}}\ndata: {target: no}\n"))
    assert (read.train.optimizer.lr, read.data.target) == (0.001, "no")


def test_an_override_leaves_the_rest_of_the_file_as_the_user_gave_it() -> None:
    start = recipe.read(write("train:\n  epochs: 3\n  optimizer: {name: sgd, momentum: 0.8}\n"))
    changed = recipe.override(start, ["lr=0.5", "epochs=4"])
    assert (changed.train.epochs, changed.train.optimizer.momentum, changed.train.optimizer.lr) == (4, 0.8, 0.5)
    assert "train.optimizer.nesterov" not in recipe.given(changed)


def test_keywords_of_python_are_the_words_of_the_recipe() -> None:
    changed = recipe.change(Recipe(), {"model": "mlp", "epochs": 2, "train": {"ema": 0.9}, "data.target": "y"})
    assert recipe.given(changed) == {"model.name", "train.epochs", "train.ema", "data.target"}


def test_objects_in_memory_are_passed_on_and_written_as_null_with_a_note() -> None:
    source = (object(), [1, 2])
    made = recipe.from_target(source)
    assert recipe.override(made, ["epochs=2"]).data.source is source
    text = recipe.to_yaml(made)
    assert "source: null  # was tuple in memory" in text
    assert recipe.read(write(text)).data.source is None


def test_a_source_beside_the_recipe_is_found_when_the_current_folder_has_none() -> None:
    write("a,b\n1,2\n", "project/rows.csv")
    path = write("data: {source: rows.csv}\n", "project/recipe.yaml")
    assert recipe.read(path).data.source == "project/rows.csv"
    write("a,b\n1,2\n", "rows.csv")
    assert recipe.read(path).data.source == "rows.csv"


def test_blocks_whose_keys_are_all_commented_out_mean_their_defaults() -> None:
    assert recipe.read(write("train:\ncheck:\ndata:\n  split:\n  # val: 0.1\n")) == Recipe()


def test_given_names_a_block_only_where_it_is_a_choice() -> None:
    read = recipe.read({"train": {"early_stop": {"patience": 2}, "optimizer": {"lr": 0.1}}, "model": {"name": "mlp", "dropout": 0.1}})
    expected = {"train.early_stop", "train.early_stop.patience", "train.optimizer.lr", "model.name", "model.dropout"}
    assert recipe.given(read) == expected


def test_the_schema_accepts_what_is_written_and_names_the_settings_of_each_network() -> None:
    schema = recipe.schema()
    networks = {branch["if"]["properties"]["name"]["const"]: branch["then"] for branch in schema["$defs"]["ModelSpec"]["allOf"]}
    assert "dropout" in networks["mlp"]["properties"]
    assert {"name", "freeze", "dropout"} <= set(networks["mlp"]["propertyNames"]["enum"])
    assert set(schema["properties"]) == {"schema", "task", "data", "model", "train", "check", "evaluate"}


WRONG: dict[str, tuple[str, str, str | None, str]] = {
    "unknown key": ("epoch: 3\n", "LL021", "recipe.yaml, line 1", "train.epochs"),
    "unknown key in a block": ("train:\n  epochs: 3\n  batchsize: 4\n", "LL021", "recipe.yaml, line 3", "train.batch_size"),
    "unknown key in a block of a block": ("data:\n  split:\n    va: 0.1\n", "LL021", "recipe.yaml, line 3", "data.split.val"),
    "unknown key in a choice": ("train:\n  early_stop:\n    patients: 3\n", "LL021", "recipe.yaml, line 3", "train.early_stop.patience"),
    "unknown setting of a network": ("model:\n  name: mlp\n  dropuot: 0.1\n", "LL021", "recipe.yaml, line 3", "model.dropout"),
    "setting of no network": ("model: {nmae: mlp}\n", "LL021", "recipe.yaml, line 1", "model.name"),
    "key of another block": ("train: {warmup: 0.1}\n", "LL021", None, "train.schedule.warmup"),
    "word for a number": ("train: {epochs: many}\n", "LL022", None, "leave train.epochs out"),
    "true for a number": ("train: {epochs: true}\n", "LL022", None, "leave train.epochs out"),
    "infinite number": ("train: {optimizer: {lr: .inf}}\n", "LL022", None, "leave train.optimizer.lr out"),
    "number out of range": ("data: {split: {val: 1.5}}\n", "LL022", None, "leave data.split.val out"),
    "setting of a network out of range": ("model: {name: mlp, dropout: 2}\n", "LL022", None, "model.dropout"),
    "misspelt choice": ("train: {precision: bf61}\n", "LL022", None, "bf16"),
    "word for a block": ("train: {optimizer: sgd}\n", "LL022", None, "train.optimizer.name=sgd"),
    "list that is too short": ("train: {optimizer: {betas: [0.9]}}\n", "LL022", None, "train.optimizer.betas"),
    "unknown model": ("model: {name: mpl}\n", "LL023", None, "mlp"),
    "unknown task": ("task: clasify_table\n", "LL023", None, "classify_table"),
    "unknown metric": ("evaluate: {metrics: [acuracy]}\n", "LL023", None, "accuracy"),
    "unknown source": ("data: {kind: imagefolder}\n", "LL023", None, "image_folder"),
    "a split that leaves nothing": ("data: {split: {val: 0.6, test: 0.4}}\n", "LL030", None, "change one"),
    "two ways to split": ("data: {split: {by: patient, time: day}}\n", "LL030", None, "change one"),
    "look-ahead without momentum": ("train: {optimizer: {name: adam, nesterov: true}}\n", "LL030", None, "change one"),
    "unfreezing what is not frozen": ("model: {name: mlp, unfreeze_every: 2}\n", "LL030", None, "change one"),
    "a key given twice": ("train: {epochs: 1}\ntrain: {epochs: 2}\n", "LL034", "recipe.yaml, line 2", ""),
    "a list": ("- 1\n", "LL034", "recipe.yaml, line 1", "leadline new"),
    "bad indentation": ("train:\n  epochs: 1\n epochs: 2\n", "LL034", "recipe.yaml, line 3", ""),
    "an object of Python": ("data: !!python/object/apply:os.getcwd []\n", "LL034", "recipe.yaml, line 1", ""),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_recipe_is_refused_with_place_and_remedy(case: str) -> None:
    text, code, where, hint = WRONG[case]
    with pytest.raises(InputError) as caught:
        recipe.read(write(text))
    error = caught.value
    assert error.code == code
    assert where is None or error.where == where
    assert hint in (error.help or "")
    assert len(str(error).splitlines()) <= 6
    assert "constrained" not in str(error)


CONTRADICTIONS = {
    "same key": ["epochs=3", "epochs=4"],
    "short and long": ["lr=0.1", "train.optimizer.lr=0.2"],
    "block and key": ["train.early_stop=null", "train.early_stop.patience=3"],
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_words_that_contradict_each_other_are_refused_with_both(case: str) -> None:
    words = CONTRADICTIONS[case]
    with pytest.raises(InputError, match="LL030") as caught:
        recipe.override(Recipe(), words)
    assert all(word in caught.value.message for word in words)


def test_the_same_word_twice_is_no_contradiction() -> None:
    assert recipe.override(Recipe(), ["epochs=3", "train.epochs=3"]).train.epochs == 3


def test_an_override_that_is_wrong_is_named_as_it_was_typed() -> None:
    with pytest.raises(InputError) as caught:
        recipe.override(Recipe(), ["epochs=3", "lr=fast"])
    assert (caught.value.code, caught.value.where) == ("LL022", "lr=fast")


def test_a_run_folder_is_not_taken_for_data() -> None:
    write("{}", "runs/one/run.json")
    with pytest.raises(InputError, match="leadline resume runs/one"):
        recipe.from_target("runs/one")


def test_a_recipe_that_is_not_there_is_said() -> None:
    with pytest.raises(InputError, match="LL001"):
        recipe.from_target("nowhere.yaml")
