"""MNIST idx files: both sides or one, packed or not, and damage told clearly."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from drawn import grey
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from leadline.base.errors import InputError
from leadline.data.idx import read_idx, write_idx
from leadline.data.settings import DataSpec
from leadline.data.source import recognise
from leadline.data.sources.mnist_idx import MnistIdx


def refused(target: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        MnistIdx.open(target, DataSpec())
    return caught.value


def test_a_folder_with_both_sides_keeps_its_split_training_first(tmp_path: Path) -> None:
    target = MnistIdx.tiny(tmp_path)
    found = recognise(str(target))
    examples = found.source.open(str(target), DataSpec())
    assert found.name == "mnist_idx"
    assert examples.facts.given_split == {"train": 30, "test": 10}
    assert examples.facts.classes == ("0", "1")
    assert examples.facts.class_counts == (20, 20)
    assert (examples.names[0], examples.names[-1]) == ("train 1", "t10k 10")
    assert examples.fetch(np.array([0, 39])).shape == (2, 16, 16, 1)
    assert examples.content_hashes().dtype == np.uint64


def test_one_named_file_opens_its_side_alone_without_a_given_split(tmp_path: Path) -> None:
    target = MnistIdx.tiny(tmp_path)
    examples = MnistIdx.open(target / "t10k-images-idx3-ubyte.gz", DataSpec())
    assert len(examples) == 10
    assert examples.given_split is None


def test_unpacked_files_with_a_dot_in_the_name_open(tmp_path: Path) -> None:
    write_idx(tmp_path / "train-images.idx3-ubyte", np.stack([grey(i) for i in range(12)]))
    write_idx(tmp_path / "train-labels.idx1-ubyte", np.arange(12, dtype=np.uint8))
    examples = recognise(tmp_path).source.open(tmp_path, DataSpec())
    assert examples.facts.classes == tuple(str(label) for label in range(12))  # by value: 10 comes behind 9
    assert (examples.fetch(np.array([3]))[0][..., 0] == grey(3)).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda body: b"\0\0\x0d\x03" + body[4:], "begins with 00 00 0d 03"),
        (lambda body: b"", "begins with nothing"),
        (lambda body: body[:10], "ends within its header"),
        (lambda body: body[:-5], "should hold 7,680 bytes"),
        (lambda body: body + b"x", "holds more"),
        (lambda body: body[:4] + b"\xff" * 12, "claims the shape"),
    ],
)
@pytest.mark.parametrize("is_packed", [False, True])
def test_a_damaged_file_is_refused_with_what_is_wrong(tmp_path: Path, change, said: str, is_packed: bool) -> None:
    target = MnistIdx.tiny(tmp_path)
    path = target / "train-images-idx3-ubyte.gz"
    body = change(gzip.decompress(path.read_bytes()))
    path.unlink()
    (target / f"train-images-idx3-ubyte{'.gz' if is_packed else ''}").write_bytes(gzip.compress(body) if is_packed else body)
    error = refused(target)
    assert error.code == "LL039"
    assert said in error.message


def test_a_broken_packing_is_refused(tmp_path: Path) -> None:
    path = MnistIdx.tiny(tmp_path) / "train-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    for broken in (whole[: len(whole) // 2], b"\x1f\x8b" + b"x" * 100, b"no gzip at all", whole[:-40] + b"\0" * 40):
        path.write_bytes(broken)
        assert refused(path.parent).code == "LL039"


def test_a_missing_half_an_unequal_half_and_one_class_are_refused(tmp_path: Path) -> None:
    target = MnistIdx.tiny(tmp_path)
    write_idx(target / "train-labels-idx1-ubyte.gz", np.zeros(29, np.uint8))
    assert "29 labels for 30 images" in refused(target).message
    write_idx(target / "train-labels-idx1-ubyte.gz", np.zeros(30, np.uint8))
    assert refused(target / "train-images-idx3-ubyte.gz").code == "LL015"
    (target / "train-labels-idx1-ubyte.gz").unlink()
    error = refused(target)
    assert error.code == "LL014"
    assert "put train-labels-idx1-ubyte.gz there" in (error.help or "")
    (target / "train-images-idx3-ubyte.gz").rename(target / "train-labels-idx1-ubyte.gz")
    assert refused(target).code == "LL002"


def test_names_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "missing" / "train-images-idx3-ubyte").code == "LL001"
    assert refused(tmp_path / "pictures.bin").code == "LL002"
    assert refused(tmp_path).code == "LL002"
    assert MnistIdx.recognises(str(tmp_path)) is None


@given(st.one_of(arrays(np.uint8, array_shapes(min_dims=n, max_dims=n, max_side=6)) for n in (1, 3)), st.booleans())
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, array: np.ndarray, is_packed: bool) -> None:
    path = tmp_path_factory.mktemp("idx") / f"a{'.gz' if is_packed else ''}"
    write_idx(path, array)
    assert (read_idx(path) == array).all()
    assert read_idx(path).shape == array.shape
