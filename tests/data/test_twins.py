"""Twins: copies are found however they were saved, different pictures are not, and the answer is exact on the hashes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from drawn import jpeg_bytes, photo, save
from hypothesis import given, settings
from hypothesis import strategies as st
from made import Made
from PIL import Image, ImageEnhance

from leadline.data import twins
from leadline.data.perceptual import near_hash, thumbnails
from leadline.data.settings import DataSpec
from leadline.data.source import Selection
from leadline.data.sources.image_folder import ImageFolder
from leadline.data.sources.mnist_idx import MnistIdx

COPIES = {
    "saved again as JPEG": lambda picture: Image.open(io.BytesIO(jpeg_bytes(picture, quality=75))),
    "a fifth smaller": lambda picture: picture.resize((picture.width * 4 // 5, picture.height * 4 // 5), Image.Resampling.BICUBIC),
    "twice as large": lambda picture: picture.resize((picture.width * 2, picture.height * 2), Image.Resampling.BICUBIC),
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.15),
    "darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.75),
    "flatter": lambda picture: ImageEnhance.Contrast(picture).enhance(0.8),
}


def folder(root: Path, *, count: int = 120) -> Path:
    for index in range(count):
        save(photo(index, width=80, height=60), root / "ab"[index % 2] / f"{index:03}.png")
    return root


@pytest.mark.parametrize("change", COPIES.values(), ids=COPIES)
def test_a_changed_copy_is_found_and_nothing_else(tmp_path: Path, change) -> None:
    folder(tmp_path)
    for index in (4, 50, 99):
        save(change(photo(index, width=80, height=60)), tmp_path / "a" / f"copy_of_{index:03}.png")
    examples = ImageFolder.open(tmp_path, DataSpec())
    names = [{Path(examples.names[i]).stem for i in pair} for pair in twins.near_twins(examples)]
    assert sorted(names, key=min) == [{"004", "copy_of_004"}, {"050", "copy_of_050"}, {"099", "copy_of_099"}]


def test_exact_copies_share_a_group_and_all_others_stand_alone(tmp_path: Path) -> None:
    folder(tmp_path, count=40)
    for index in range(5):
        save(photo(index, width=80, height=60), tmp_path / "b" / f"again_{index}.bmp")
    examples = ImageFolder.open(tmp_path, DataSpec())
    ids = twins.groups(examples, near=False)
    assert len(np.unique(ids)) == 40
    places = {Path(name).stem: group for name, group in zip(examples.names, ids.tolist(), strict=True)}
    assert all(places[f"again_{index}"] == places[f"{index:03}"] for index in range(5))
    assert len(twins.near_twins(examples)) == 0


def test_near_groups_join_chains_of_copies_and_exact_copies_of_them(tmp_path: Path) -> None:
    folder(tmp_path, count=20)
    picture = photo(7, width=80, height=60)
    save(picture, tmp_path / "a" / "exact.png")
    save(picture, tmp_path / "a" / "small.jpg", quality=80)
    save(ImageEnhance.Brightness(picture).enhance(0.8), tmp_path / "b" / "dark.png")
    examples = ImageFolder.open(tmp_path, DataSpec())
    ids = dict(zip([Path(name).stem for name in examples.names], twins.groups(examples, near=True).tolist(), strict=True))
    assert len({ids["007"], ids["exact"], ids["small"], ids["dark"]}) == 1
    assert len(set(ids.values())) == 20


def test_blank_pictures_are_no_near_twins(tmp_path: Path) -> None:
    folder(tmp_path, count=10)
    for level in (0, 90, 255):
        save(Image.new("RGB", (80, 60), (level, level, level)), tmp_path / "a" / f"blank{level}.png")
    assert len(twins.near_twins(ImageFolder.open(tmp_path, DataSpec()))) == 0


def test_pictures_that_are_all_alike_need_to_be_nearly_identical(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    base = np.asarray(photo(1, width=32, height=32)).astype(int)
    pixels = np.clip(base + draw.normal(0, 14, (200, 32, 32, 3)), 0, 255).astype(np.uint8)
    pixels[150] = np.clip(pixels[3].astype(int) + 9, 0, 255)
    examples = Made(200, pixels=pixels)
    assert twins.near_twins(examples).tolist() == [[3, 150]]


def test_tables_have_exact_twins_only() -> None:
    examples = Made(6, content=np.array([5, 3, 5, 9, 3, 5]))
    assert twins.groups(examples, near=True).tolist() == [0, 1, 0, 2, 1, 0]
    assert twins.near_twins(examples).shape == (0, 2)


def test_a_selection_finds_the_twins_among_its_own(tmp_path: Path) -> None:
    folder(tmp_path, count=12)
    save(photo(3, width=80, height=60), tmp_path / "b" / "copy.jpg", quality=85)
    examples = ImageFolder.open(tmp_path, DataSpec())
    chosen = [i for i, name in enumerate(examples.names) if Path(name).stem in ("003", "005", "copy")]
    part = Selection(examples, np.array(chosen[::-1]))
    assert len(twins.near_twins(part)) == 1
    assert (part.thumbnails(np.arange(3)) == examples.thumbnails(np.array(chosen[::-1]))).all()


def test_arrays_and_files_agree_on_the_hashes(tmp_path: Path) -> None:
    examples = MnistIdx.open(MnistIdx.tiny(tmp_path), DataSpec())
    for index in range(40):
        picture = examples.fetch(np.array([index]))[0][..., 0]
        save(Image.fromarray(picture), tmp_path / "files" / "01"[index % 2] / f"{index:02}.png")
    files = ImageFolder.open(tmp_path / "files", DataSpec())
    order = np.argsort([int(Path(name).stem) for name in files.names])
    assert (files.content_hashes()[order] == examples.content_hashes()).all()
    assert (files.near_hashes()[order] == examples.near_hashes()).all()  # type: ignore[index]


HASHES = st.lists(st.integers(0, 2**64 - 1), min_size=2, max_size=30)
FLIPS = st.lists(st.tuples(st.integers(0, 29), st.lists(st.integers(0, 63), max_size=9)), max_size=20)


@settings(max_examples=60)
@given(HASHES, FLIPS)
def test_candidates_are_all_pairs_within_reach_and_each_once(values: list[int], flips: list[tuple[int, list[int]]]) -> None:
    for place, bits in flips:
        changed = values[place % len(values)]
        for bit in bits:
            changed ^= 1 << bit
        values.append(changed)
    hashes = np.array(values, np.uint64)
    found = [tuple(pair) for pairs in twins._candidates(hashes) for pair in pairs.tolist()]
    wanted = {(i, j) for i in range(len(values)) for j in range(i + 1, len(values)) if (values[i] ^ values[j]).bit_count() <= twins.FAR}
    assert len(found) == len(set(found))
    assert set(found) == wanted


def test_the_hash_ignores_brightness_and_contrast() -> None:
    pictures = [np.asarray(photo(seed)) // 2 for seed in range(20)]
    changed = [picture // 2 + 60 for picture in pictures]
    apart = np.bitwise_count(near_hash(thumbnails(pictures)) ^ near_hash(thumbnails(changed)))
    assert apart.max() <= 3
