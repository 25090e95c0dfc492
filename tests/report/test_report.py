"""The report: one small file that loads nothing, believes no name, shows what is there and says what is not."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from leadline.base.errors import InputError
from leadline.record.finding import QUESTIONS
from leadline.report.folder import FILES, read_run
from leadline.report.pictures import write_examples
from leadline.report.plots import write_plots
from leadline.report.report import MOST_BYTES, write_report

from .made import EVIL, STEPS, classify, heal, regress

MAKERS = {"classify": classify, "regress": regress}
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """What a browser would see: elements in the order they stand, what they load, their texts, and whether they close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fields = dict(attrs)
        self.tags.append((tag, fields))
        self.loads += [value for key in ("src", "href", "srcset", "data", "action") if (value := fields.get(key))]
        if tag not in VOID and not self.get_starttag_text().endswith("/>"):  # type: ignore[union-attr]
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page_of(folder: Path) -> tuple[str, Page]:
    text = write_report(folder).read_text(encoding="utf-8")
    return text, Page(text)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One run of each kind with its plots, drawn once."""
    runs = {name: make(tmp_path_factory.mktemp(name) / "run") for name, make in MAKERS.items()}
    for run in runs.values():
        write_plots(run)
    return runs


@pytest.fixture(params=MAKERS)
def folder(request: pytest.FixtureRequest, standing: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(standing[request.param], tmp_path / "run"))


def test_the_report_is_one_file_under_two_megabytes_that_loads_nothing(folder: Path) -> None:
    text, page = page_of(folder)
    assert len(text.encode()) < MOST_BYTES
    assert all(load.startswith(("data:", "#")) for load in page.loads)
    styles = "".join(re.findall(r"<style>(.*?)</style>", text, re.S))
    assert "url(" not in styles
    assert "@import" not in styles
    assert "default-src 'none'" in text


def test_every_element_is_closed(folder: Path) -> None:
    assert page_of(folder)[1].open == []


def test_names_are_escaped_everywhere(folder: Path) -> None:
    text, page = page_of(folder)
    assert EVIL not in text
    assert "alert(" not in "".join(re.findall(r"<script>(.*?)</script>", text, re.S))
    assert EVIL in page.text


def test_every_picture_and_drawing_has_words(folder: Path) -> None:
    _, page = page_of(folder)
    assert all(fields.get("alt") for tag, fields in page.tags if tag == "img")
    assert all(fields.get("aria-label") for tag, fields in page.tags if tag == "svg" or fields.get("role") in ("img", "region"))
    assert [fields.get("scope") for tag, fields in page.tags if tag == "th" and fields.get("scope") not in ("col", "row")] == []


def test_ids_are_unique_and_links_lead_somewhere(folder: Path) -> None:
    _, page = page_of(folder)
    ids = [fields["id"] for _, fields in page.tags if "id" in fields]
    assert len(ids) == len(set(ids))
    assert {load[1:] for load in page.loads if load.startswith("#")} <= set(ids)


def test_the_sections_stand_in_their_order(folder: Path) -> None:
    text, _ = page_of(folder)
    middle = "classes" if '"classes"' in text else "values"
    wanted = ["answer", "checks", "findings", "curves", middle, "examples", "data", "guesses", "layers", "settings", "again"]
    places = [text.index(f'id="{name}"') for name in wanted]
    assert places == sorted(places)


def test_the_answer_says_score_interval_baselines_and_verdict(tmp_path: Path) -> None:
    page = page_of(classify(tmp_path / "run"))[1].text
    for words in (
        "accuracy on the test examples",
        "95 % interval",
        "linear model",
        "not examined: too slow on pixels",
        "the network wins here",
    ):
        assert words in page
    assert "ROC AUC not defined" in page


def test_the_checks_are_said_in_words_and_in_order(folder: Path) -> None:
    page = page_of(folder)[1].text
    places = [page.index(question) for question in QUESTIONS]
    assert places == sorted(places)
    assert "5 yes, 1 no" in page


def test_the_curves_stand_in_the_page_as_numbers(folder: Path) -> None:
    text, _ = page_of(folder)
    found = re.search(r'id="curve-data">(.*?)</script>', text, re.S)
    assert found
    curves = json.loads(found.group(1))
    assert curves["best"] == 30
    series = {(chart["id"], line["label"]) for chart in curves["charts"] for line in chart["series"]}
    wanted = {
        ("loss", "train"),
        ("loss", "validation"),
        ("rate", "planned"),
        ("rate", "used"),
        ("norm", "before clipping"),
        ("layers", "first"),
    }
    assert wanted <= series


def test_a_classifier_shows_its_matrix_and_pictures(tmp_path: Path) -> None:
    text, page = page_of(classify(tmp_path / "run"))
    assert "Confusion matrix" in page.text
    assert "Reliability diagram" in text
    assert text.count('<img src="data:image/png;base64,') >= 12


def test_a_regression_shows_values_errors_and_rows(tmp_path: Path) -> None:
    text, page = page_of(regress(tmp_path / "run"))
    assert "Predicted against true" in page.text
    assert "Errors that are left" in page.text
    assert "=cmd()" in page.text
    assert 'id="classes"' not in text


@pytest.mark.parametrize("name", [*FILES, "predictions", "plots"])
def test_a_missing_part_is_said_and_breaks_nothing(folder: Path, name: str) -> None:
    target = folder / name
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    page = page_of(folder)[1].text
    if name not in ("plots", "run.json"):
        assert "Not measured" in page or "not examined" in page or "not in the run folder" in page


@pytest.mark.parametrize("name", [*FILES, "predictions/test.parquet", "plots/schedule.json", "plots/examples/rows.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[1, 2]", b'"text"', b"null"])
def test_a_damaged_file_breaks_nothing(tmp_path: Path, name: str, content: bytes) -> None:
    made = regress(tmp_path / "run", count=10)
    (made / name).write_bytes(content)
    assert page_of(made)[1].open == []


def test_a_run_that_was_killed_at_once_has_a_report(tmp_path: Path) -> None:
    made = tmp_path / "run"
    made.mkdir()
    (made / "run.json").write_text('{"schema": 1, "status": "running"}')
    page = page_of(made)[1].text
    assert "still running" in page
    assert page.count("Not measured") >= 5


def test_a_line_cut_off_by_a_kill_is_left_out_and_said(folder: Path) -> None:
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 41, "lo')
    run = read_run(folder)
    assert len(run.rows) == STEPS + 4
    assert "1 damaged line" in run.absent["metrics.jsonl"]


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a run folder") as caught:
        write_report(tmp_path)
    assert caught.value.code == "LL011"


def test_numbers_that_are_none_or_nan_are_said_as_not_defined(folder: Path) -> None:
    scores = json.loads((folder / "scores.json").read_text())
    scores["test"] = dict.fromkeys(scores["test"], float("nan"))
    scores["intervals"] = dict.fromkeys(scores["test"])
    (folder / "scores.json").write_text(json.dumps(scores))
    assert "not defined" in page_of(folder)[1].text


def test_many_large_pictures_do_not_make_the_page_large(tmp_path: Path) -> None:
    made = classify(tmp_path / "run")
    noise = np.random.default_rng(0)
    write_examples(made, {i: noise.integers(0, 255, (400, 400, 3)).astype(np.uint8) for i in range(90)})
    text, page = page_of(made)
    assert len(text.encode()) < MOST_BYTES
    assert "pictures did not fit" in page.text


def test_a_long_run_of_many_classes_stays_small(tmp_path: Path) -> None:
    made = classify(tmp_path / "run")
    facts = json.loads((made / "facts.json").read_text())
    facts["facts"]["classes"] = [*facts["facts"]["classes"], *(f"class {i}" for i in range(997))]
    facts["facts"]["class_counts"] = [1] * 1000
    (made / "facts.json").write_text(json.dumps(facts))
    rows = [{"step": i, "epoch": 1, "split": "train", "loss": 1 / i, "lr": 0.1, "grad_norm": 1.0} for i in range(1, 50_001)]
    (made / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text, page = page_of(made)
    assert len(text.encode()) < MOST_BYTES / 2
    assert "1000 classes are too many for a matrix" in page.text


def test_a_report_of_the_training_side_says_that_it_flatters(tmp_path: Path) -> None:
    made = classify(tmp_path / "run")
    scores = json.loads((made / "scores.json").read_text())
    scores = {"train": scores["test"], "headline": "train"}
    (made / "scores.json").write_text(json.dumps(scores))
    (made / "predictions" / "test.parquet").rename(made / "predictions" / "train.parquet")
    page = page_of(made)[1].text
    assert "accuracy on the training examples" in page
    assert "it was trained on, which flatters" in page


def test_a_healed_run_shows_what_was_done_and_believes_no_name(tmp_path: Path) -> None:
    folder = classify(tmp_path / "run")
    heal(folder)
    write_plots(folder)
    text, page = page_of(folder)
    assert "What was done about it" in page.text
    assert "train.optimizer.lr 3.000 -> 0.030" in page.text
    assert "Given up after three cures" in page.text
    assert EVIL not in text
    assert [fields["alt"] for tag, fields in page.tags if tag == "img" and fields.get("class") == "evidence"] == [
        "Training loss with the step of each finding marked",
        "Training loss before and after each control",
    ]
