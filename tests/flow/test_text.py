"""Texts from files to answers: labels, tags and writing, by the verbs that pictures and tables go by."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import leadline
from leadline import recipe as recipes
from leadline.base.errors import InputError
from leadline.data.sources.conll import Conll
from leadline.data.sources.text_corpus import TextCorpus
from leadline.data.sources.text_table import TextTable
from leadline.flow.evaluate import evaluate
from leadline.flow.look import look
from leadline.flow.prepare import prepare
from leadline.flow.train import resume

QUICK: dict[str, Any] = {"check": {"doctor": "off"}, "quiet": True}
SMALL_GPT = {"name": "gpt", "width": 32, "heads": 2, "depth": 2}


def _train(target: Any, out: Path, **settings: Any) -> leadline.OpenRun:
    return leadline.train(target, out=out, **{**QUICK, **settings})


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> leadline.OpenRun:
    """Reviews told apart by the default network."""
    folder = tmp_path_factory.mktemp("labels")
    return _train(TextTable.tiny(folder), folder / "run", epochs=12)


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> leadline.OpenRun:
    """A small network that counts in words."""
    folder = tmp_path_factory.mktemp("writer")
    data = {"text": {"length": 64}}
    return _train(TextCorpus.tiny(folder), folder / "run", epochs=6, model=SMALL_GPT, data=data, train={"optimizer": {"lr": 5e-3}})


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> leadline.OpenRun:
    """Names of people and places found in sentences."""
    folder = tmp_path_factory.mktemp("tagger")
    return _train(Conll.tiny(folder), folder / "run", epochs=20, model={"name": "lstm", "width": 32, "depth": 1})


def test_reviews_are_told_apart_and_predict_takes_texts_and_files(labels: leadline.OpenRun, tmp_path: Path) -> None:
    assert labels.scores["test"]["accuracy"] > 0.9
    assert {"majority", "linear"} == set(labels.scores["baselines"])
    praise, blame = labels.predict(["the film was splendid and lovely", "the play was dull and boring"])
    assert (praise["label"], blame["label"]) == ("good", "bad")
    (tmp_path / "new.txt").write_text("a warm and clever book\n\nan ugly song\n", encoding="utf-8")
    from leadline.flow.predict import predict

    answers = predict(labels.folder, [str(tmp_path / "new.txt"), "a stupid ending"])
    assert [answer["id"].rsplit("/", 1)[-1] for answer in answers] == ["new.txt:1", "new.txt:3", "text 2"]


def test_the_six_questions_are_answered_for_texts(labels: leadline.OpenRun, writer: leadline.OpenRun, tagger: leadline.OpenRun) -> None:
    for run in (labels, writer, tagger):
        checks = {question: answer["answer"] for question, answer in run.checks.items()}
        assert checks["one batch overfits"] == "yes", run.checks
        assert checks["checkpoint resume tested"] == "yes", run.checks
        assert checks["eval mode used for validation"] == "yes", run.checks


def test_a_language_model_beats_counting_and_writes(writer: leadline.OpenRun) -> None:
    scores = writer.scores
    assert scores["test"]["perplexity"] < scores["baselines"]["bigram"]["perplexity"] < scores["baselines"]["unigram"]["perplexity"]
    bits = scores["test"]["loss"] / np.log(2)
    assert scores["test"]["bits_per_character"] == pytest.approx(bits, rel=1e-4)  # each token is a character, and each is asked for
    one, again, other = (writer.generate("twenty-", most=30, seed=seed)[0] for seed in (1, 1, 2))
    assert one == again != other
    assert one.startswith("twenty-")
    assert len(writer.generate(count=3, most=5, temperature=0)) == 3


def test_every_character_is_asked_for_once(tmp_path: Path) -> None:
    path = TextCorpus.tiny(tmp_path)
    prepared = prepare(recipes.from_target(path), device="cpu")
    text = path.read_text(encoding="utf-8")
    pieces = [prepared.examples.fetch(rows) for rows in prepared.split.sides().values()]
    asked = sum(len(piece) - 1 for side in pieces for piece in side)
    assert asked == len(text) - len(pieces)  # but for the first of each part
    assert "".join(piece[:-1] for piece in pieces[0]) + pieces[0][-1][-1] == text[: len("".join(p[:-1] for p in pieces[0])) + 1]


def test_names_are_found_and_scored_whole(tagger: leadline.OpenRun) -> None:
    assert tagger.scores["test"]["entity_f1"] > 0.8
    (answer,) = tagger.predict(["Anna left New York ."])
    assert answer["tags"] == ["B-PER", "O", "B-LOC", "I-LOC", "O"]


def test_evaluate_gives_the_scores_of_training_again(labels: leadline.OpenRun, writer: leadline.OpenRun, tagger: leadline.OpenRun) -> None:
    for run in (labels, writer, tagger):
        again = evaluate(run.folder, say=lambda _: None)
        for name, score in run.scores["test"].items():
            assert again["test"][name] == pytest.approx(score, rel=1e-4, abs=1e-6), name


def test_look_tells_what_texts_there_are(tmp_path: Path) -> None:
    known = {TextTable: ("documents", "classify_text"), TextCorpus: ("corpus", "generate_text"), Conll: ("words", "tag_tokens")}
    for source, (form, task) in known.items():
        report = look(recipes.from_target(source.tiny(tmp_path)))
        assert report.facts.text is not None
        assert report.facts.text.form == form
        assert report.task is not None
        assert report.task.what == f"task {task}"


def test_a_finished_run_is_left_as_it_is(labels: leadline.OpenRun) -> None:
    before = (labels.folder / "metrics.jsonl").read_bytes()
    resume(labels.folder, say=lambda _: None)
    assert (labels.folder / "metrics.jsonl").read_bytes() == before


def test_the_model_folder_alone_holds_the_tokenizer(labels: leadline.OpenRun) -> None:
    kept = json.loads((labels.folder / "model" / "preprocessor.json").read_text())
    assert kept["tokenizer"]["kind"] == "words"
    assert {path.name for path in (labels.folder / "model").iterdir()} == {
        "config.json",
        "model.safetensors",
        "preprocessor.json",
        "labels.json",
    }


REVIEWS = "".join(f"this is review number {place} of a film\t{'xy'[place % 2]}\n" for place in range(10))
UNLABELLED = f"text\tlabel\n{REVIEWS}one without a word of praise or blame\t\n"
BAD: dict[str, tuple[str, str, str, str]] = {
    "an empty file": ("a.txt", "", "LL002", "a.txt"),
    "a corpus of one line": ("a.txt", "to be or not to be", "LL027", "18 characters"),
    "a word without a tag": ("a.conll", "Anna\tB-PER\nleft\n\nRio\tB-LOC\n", "LL013", "line 2"),
    "one tag only": ("a.conll", "Anna\tO\nleft\tO\n", "LL015", "'O'"),
    "a text without a label": ("a.tsv", UNLABELLED, "LL018", "a.tsv:11"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_texts_are_named(case: str, tmp_path: Path) -> None:
    name, content, code, told = BAD[case]
    (tmp_path / name).write_text(content, encoding="utf-8")
    kind = {"a.tsv": "text_table"}.get(name)
    recipe = recipes.change(recipes.from_target(tmp_path / name), {"data.kind": kind} if kind else {})
    with pytest.raises(InputError) as error:
        prepare(recipe, device="cpu")
    assert error.value.code == code
    assert told in f"{error.value.message} {error.value.where}"


def test_a_packed_corpus_and_another_encoding_are_read(tmp_path: Path) -> None:
    plain = TextCorpus.tiny(tmp_path)
    packed = tmp_path / "sums.txt.gz"
    packed.write_bytes(gzip.compress(plain.read_text(encoding="utf-8").encode("utf-16")))
    one, two = (look(recipes.from_target(path)).facts for path in (plain, packed))
    assert one.num_examples == two.num_examples
    assert any("utf-16" in guess.what for guess in two.guesses)


def test_options_of_other_tasks_are_refused(tmp_path: Path) -> None:
    recipe = recipes.change(recipes.from_target(TextTable.tiny(tmp_path)), {"train.beta": 0.5})
    with pytest.raises(InputError, match=r"train\.beta = 0\.5"):
        prepare(recipe, device="cpu")
