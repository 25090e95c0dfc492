"""The audit of pictures: what was planted is found, and a clean set is silent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from drawn import class_folders, photo, save
from PIL import Image

from leadline.data.audit import audit
from leadline.data.pixels import PackedImages
from leadline.data.scan import scan
from leadline.data.settings import DataSpec
from leadline.data.sources.image_folder import ImageFolder
from leadline.data.sources.mnist_idx import MnistIdx
from leadline.record.facts import Problem


def found(root: Path) -> dict[str, Problem]:
    return {problem.kind: problem for problem in audit(ImageFolder.open(root, DataSpec(max_excluded=1)))}


def test_a_clean_set_is_silent(tmp_path: Path) -> None:
    assert found(class_folders(tmp_path, count=60)) == {}


def test_five_exact_and_three_near_twins_among_many_are_found_and_nothing_else(tmp_path: Path) -> None:
    class_folders(tmp_path, count=150)
    for index in range(5):
        save(photo(index), tmp_path / "cat" / f"exact{index}.webp", lossless=True)
    for index in range(20, 23):
        save(photo(index), tmp_path / "cat" / f"near{index}.jpg", quality=70)
    problems = found(tmp_path)
    assert set(problems) == {"duplicate_images", "near_duplicate_images"}
    assert problems["duplicate_images"].count == 5
    assert problems["duplicate_images"].items[0] == "cat/0.png = cat/exact0.webp"
    assert problems["near_duplicate_images"].count == 3
    assert problems["near_duplicate_images"].items == tuple(f"cat/{i}.png ~ cat/near{i}.jpg" for i in (20, 21, 22))


def test_one_picture_under_two_labels_is_told_with_both(tmp_path: Path) -> None:
    class_folders(tmp_path)
    save(photo(2), tmp_path / "dog" / "exact.png")
    save(photo(3), tmp_path / "dog" / "near.jpg", quality=80)
    problems = found(tmp_path)
    assert problems["conflicting_labels"].items == ("cat/2.png (cat) = dog/exact.png (dog)",)
    assert problems["near_twins_conflicting_labels"].items == ("cat/3.png (cat) ~ dog/near.jpg (dog)",)
    assert problems["conflicting_labels"].severity == "suspect"


def test_twins_across_the_given_split_are_told_also_through_copies(tmp_path: Path) -> None:
    class_folders(tmp_path / "train")
    class_folders(tmp_path / "test", start=50)
    save(photo(1), tmp_path / "test" / "cat" / "leak.png")
    save(photo(4), tmp_path / "test" / "cat" / "near.jpg", quality=80)
    save(photo(4), tmp_path / "train" / "cat" / "twice.png")
    problems = found(tmp_path)
    assert problems["twins_across_split"].items == ("test/cat/leak.png = train/cat/1.png",)
    assert problems["near_twins_across_split"].items == (
        "test/cat/near.jpg ~ train/cat/4.png",
        "test/cat/near.jpg ~ train/cat/twice.png",
    )


def test_blank_long_and_tiny_pictures_are_named(tmp_path: Path) -> None:
    class_folders(tmp_path)
    save(Image.new("RGB", (64, 48), (200, 10, 10)), tmp_path / "cat" / "blank.png")
    save(photo(90, width=400, height=40), tmp_path / "cat" / "strip.png")
    save(photo(91, width=10, height=8), tmp_path / "dog" / "icon.png")
    problems = found(tmp_path)
    assert problems["blank_images"].items == ("cat/blank.png",)
    assert problems["long_images"].items == ("cat/strip.png (400 x 40)",)
    assert problems["tiny_images"].items == ("dog/icon.png (10 x 8)",)


def test_unequal_and_very_small_classes_are_told(tmp_path: Path) -> None:
    class_folders(tmp_path, count=23, classes=("cat",))
    class_folders(tmp_path, count=2, classes=("owl",), start=500)
    problems = found(tmp_path)
    assert problems["small_classes"].items == ("owl: 2",)
    assert problems["imbalance"].items[0] == "owl: 2"
    assert "class_weights" in problems["imbalance"].explanation


def test_near_twins_that_could_not_be_examined_are_said(tmp_path: Path) -> None:
    class_folders(tmp_path)
    whole = ImageFolder.open(tmp_path, DataSpec())
    headers = scan(whole.packed, whole_bytes=0)
    examples = PackedImages(whole.facts, whole.names, whole.targets, None, whole.packed, headers, {})
    assert [problem.kind for problem in audit(examples)] == ["near_twins_not_examined"]


def test_arrays_are_audited_as_files_are(tmp_path: Path) -> None:
    examples = MnistIdx.open(MnistIdx.tiny(tmp_path), DataSpec())
    examples.pixels.flags.writeable = True
    examples.pixels[35] = examples.pixels[2]
    examples.pixels[5] = 7
    problems = {problem.kind: problem for problem in audit(examples)}
    assert problems["twins_across_split"].items[0].startswith("train 3")
    assert problems["blank_images"].items == ("train 6",)


def test_the_audit_is_the_same_each_time(tmp_path: Path) -> None:
    class_folders(tmp_path)
    save(photo(2), tmp_path / "dog" / "again.png")
    assert audit(ImageFolder.open(tmp_path, DataSpec())) == audit(ImageFolder.open(tmp_path, DataSpec()))
    assert np.unique([problem.severity for problem in found(tmp_path).values()]).tolist() == ["odd", "suspect"]
