"""Folders of sounds: labels by folder, name or table; every file heard once, and what is amiss named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tones import RATE, put, tone, two_classes

from leadline.base.errors import InputError
from leadline.data.audit import audit
from leadline.data.settings import DataSpec
from leadline.data.sound_examples import Sounds, hear_all
from leadline.data.source import recognise
from leadline.data.sources.wav_folder import WavFolder
from leadline.record.facts import Problem


def _open(path: Path, **settings: Any) -> Sounds:
    return WavFolder.open(path, DataSpec.model_validate(settings))


def _problem(examples: Sounds, kind: str) -> Problem:
    return next(problem for problem in examples.facts.problems if problem.kind == kind)


def test_classes_are_folders_and_sides_are_kept(tmp_path: Path) -> None:
    two_classes(tmp_path / "set" / "train")
    two_classes(tmp_path / "set" / "test", each=2)
    examples = _open(tmp_path / "set")
    assert examples.facts.classes == ("high", "low")
    assert examples.facts.given_split == {"train": 12, "test": 4}
    assert examples.facts.audio is not None
    assert examples.facts.audio.rates == {RATE: 16}
    assert examples.facts.audio.seconds == pytest.approx((0.2, 0.2, 0.2))


def test_fetch_gives_float32_mono_and_its_rate(tmp_path: Path) -> None:
    put(tmp_path / "a" / "1.wav", np.stack([tone(), np.zeros_like(tone())], axis=1))
    put(tmp_path / "b" / "1.flac", tone(rate=16000), rate=16000)
    examples = _open(tmp_path)
    (stereo, rate), (flac, other) = examples.fetch(np.arange(2))
    assert (stereo.dtype, stereo.ndim, rate, other) == (np.float32, 1, RATE, 16000)
    assert np.allclose(stereo, tone() / 2, atol=1e-4)
    assert len(flac) == 3200
    assert _problem(examples, "mixed_down_sounds").items == ("a/1.wav",)
    assert _problem(examples, "other_rates").count == 1


def test_names_with_a_pattern_give_labels_and_columns(tmp_path: Path) -> None:
    for index in range(8):
        put(tmp_path / f"{'yes' if index % 2 else 'no'}_{'ann' if index < 4 else 'bob'}_{index}.wav", tone(pitch=300 + index))
    examples = _open(tmp_path, audio={"names": "label_speaker_index", "test": {"speaker": ["bob"]}})
    assert examples.facts.class_counts == (4, 4)
    assert examples.facts.given_split == {"train": 4, "test": 4}
    assert set(examples.column("speaker")) == {"ann", "bob"}
    assert _open(tmp_path, audio={"names": "label_speaker_index"}, target="speaker").facts.classes == ("ann", "bob")
    with pytest.raises(InputError, match="no column 'age'"):
        examples.column("age")


def test_a_plain_pattern_is_found_and_said(tmp_path: Path) -> None:
    for index in range(12):
        put(tmp_path / f"{index % 3}_ann_{index:02}.wav", tone(pitch=300 + index))
    examples = _open(tmp_path)
    assert examples.facts.classes == ("0", "1", "2")
    guess = examples.facts.guesses[0]
    assert "label_part2_part3" in guess.what
    assert "data.audio.names=part1_label_part3" in guess.override


@pytest.mark.parametrize(
    ("names", "said"), [("label_label", "names a part twice"), ("__", "names no part"), ("label-index", "no file name follows")]
)
def test_a_pattern_that_cannot_be_is_refused(tmp_path: Path, names: str, said: str) -> None:
    two_classes(tmp_path)
    with pytest.raises(InputError, match=said):
        _open(tmp_path, audio={"names": names})


def test_a_test_part_that_holds_nothing_is_refused_with_what_there_is(tmp_path: Path) -> None:
    for index in range(8):
        put(tmp_path / f"{index % 4}_{index // 4}.wav", tone(pitch=300 + index))
    for test, said in ({"index": [7]}, "0 of 8"), ({"speaker": [1]}, "no column 'speaker'"):
        with pytest.raises(InputError, match=said):
            _open(tmp_path, audio={"names": "label_index", "test": test})


def test_a_table_brings_transcripts(tmp_path: Path) -> None:
    for index in range(4):
        put(tmp_path / "clips" / f"{index}.wav", tone(1.0, pitch=300 + index))
    table = tmp_path / "said.csv"
    table.write_text("file,transcript,speaker\n" + "".join(f"clips/{i}.wav,say {'one' * (i + 1)},ann\n" for i in range(4)))
    examples = _open(tmp_path)
    assert (examples.facts.target_kind, examples.facts.target) == ("text", "transcript")
    assert examples.targets is not None
    assert examples.targets[1] == "say oneone"
    assert not examples.facts.problems
    assert recognise(table).name == "wav_folder"
    assert len(_open(table)) == 4


def test_a_sound_without_label_and_a_row_without_sound_are_named(tmp_path: Path) -> None:
    for index in range(4):
        put(tmp_path / f"{index}.wav", tone(pitch=300 + index))
    (tmp_path / "labels.csv").write_text("file,label\n0.wav,a\n1.wav,b\n2.wav,a\n9.wav,b\n")
    with pytest.raises(InputError, match=r"2 of 5 sounds cannot be used.*3.wav has no label.*row 5: 9.wav has no sound"):
        _open(tmp_path)
    assert len(_open(tmp_path, max_excluded=0.5)) == 3


def test_a_transcript_that_cannot_be_said_in_its_time_is_left_out(tmp_path: Path) -> None:
    for index in range(3):
        put(tmp_path / f"{index}.wav", tone(pitch=300 + index))
    (tmp_path / "said.csv").write_text(f"file,text\n0.wav,one\n1.wav,{'so on ' * 20}\n2.wav,two\n")
    examples = _open(tmp_path, max_excluded=0.5)
    assert list(examples.names) == ["0.wav", "2.wav"]
    assert "119 characters" in dict(examples.excluded())["1.wav"]


def test_files_that_are_no_sound_are_named_and_counted(tmp_path: Path) -> None:
    two_classes(tmp_path)
    (tmp_path / "low" / "bad.wav").write_bytes(b"RIFF is not all")
    put(tmp_path / "high" / "empty.wav", np.zeros(0, np.float32))
    (tmp_path / "low" / "phone.m4a").write_bytes(b"anything")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError) as refused:
        _open(tmp_path)
    assert refused.value.code == "LL003"
    examples = _open(tmp_path, max_excluded=0.5)
    reasons = dict(examples.excluded())
    assert "cannot be read as sound" in reasons["low/bad.wav"]
    assert reasons["high/empty.wav"] == "holds no samples"
    assert "not read" in reasons["low/phone.m4a"]
    assert _problem(examples, "other_files").items == ("notes.txt",)
    assert len(examples) == 12


def test_silent_and_clipped_sounds_are_named(tmp_path: Path) -> None:
    two_classes(tmp_path)
    put(tmp_path / "low" / "still.wav", np.full(800, 0.25, np.float32))
    put(tmp_path / "low" / "loud.wav", np.clip(tone(loud=3.0), -1, 1))
    examples = _open(tmp_path)
    assert _problem(examples, "silent_sounds").items == ("low/still.wav",)
    assert _problem(examples, "clipped_sounds").items == ("low/loud.wav",)


def test_copies_across_sides_and_labels_are_suspect(tmp_path: Path) -> None:
    two_classes(tmp_path / "train")
    put(tmp_path / "test" / "low" / "copy.wav", tone(pitch=1500))
    put(tmp_path / "test" / "high" / "own.wav", tone(pitch=1800))
    found = {problem.kind: problem for problem in audit(_open(tmp_path))}
    assert found["twins_across_split"].severity == "suspect"
    assert found["conflicting_labels"].count == 1


def test_folders_without_sounds_labels_or_a_second_class_are_refused(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    put(tmp_path / "flat" / "a.wav")
    put(tmp_path / "flat" / "bb.wav", tone(pitch=300))
    for folder, code in (("none", "LL002"), ("nowhere", "LL001"), ("flat", "LL014")):
        with pytest.raises(InputError) as refused:
            _open(tmp_path / folder)
        assert refused.value.code == code
    put(tmp_path / "one" / "x_1.wav")
    put(tmp_path / "one" / "x_2.wav", tone(pitch=300))
    with pytest.raises(InputError) as refused:
        _open(tmp_path / "one", audio={"names": "label_index"})
    assert refused.value.code == "LL015"


def test_samples_are_kept_only_while_they_are_few(tmp_path: Path) -> None:
    two_classes(tmp_path)
    names = [f"low/{index}.wav" for index in range(6)]
    assert all(one.samples is not None for one in hear_all(tmp_path, names))
    few = hear_all(tmp_path, names, keep_bytes=1000)
    assert all(one.samples is None for one in few)
    assert [one.hash for one in few] == [one.hash for one in hear_all(tmp_path, names)]
