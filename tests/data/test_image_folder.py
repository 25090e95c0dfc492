"""Folders of pictures: classes and sides by folder or by table, every odd file told, every unusable one named."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from drawn import class_folders, photo, save, write_broken, write_odd
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from leadline.base.errors import InputError
from leadline.data import decode
from leadline.data.folders import arrange
from leadline.data.packed import PackedFiles
from leadline.data.pixels import PackedImages, Pictures
from leadline.data.scan import scan
from leadline.data.settings import DataSpec
from leadline.data.source import Selection, recognise
from leadline.data.sources.image_folder import ImageFolder

ALL = DataSpec(max_excluded=1)


def problems(examples: PackedImages) -> dict[str, tuple[int, tuple[str, ...]]]:
    return {problem.kind: (problem.count, problem.items) for problem in examples.facts.problems}


def refused(target: Path, spec: DataSpec | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        ImageFolder.open(target, spec or DataSpec())
    assert len(str(caught.value).splitlines()) <= 6
    return caught.value


def test_class_folders_open_with_sorted_classes_and_relative_names(tmp_path: Path) -> None:
    class_folders(tmp_path / "photos", classes=("dog", "cat"))
    found = recognise(str(tmp_path / "photos"))
    examples = found.source.open(str(tmp_path / "photos"), DataSpec())
    assert found.name == "image_folder"
    assert examples.facts.classes == ("cat", "dog")
    assert examples.facts.class_counts == (6, 6)
    assert examples.names[0] == "cat/0.png"
    assert examples.given_split is None
    assert examples.facts.images is not None
    assert examples.facts.images.width == (64, 64, 64)
    assert (examples.fetch(np.array([0]))[0] == np.asarray(Image.open(tmp_path / "photos/cat/0.png"))).all()


def test_the_tiny_example_opens(tmp_path: Path) -> None:
    examples = ImageFolder.open(ImageFolder.tiny(tmp_path), DataSpec())
    assert examples.facts.class_counts == (20, 20)


def test_folders_inside_a_class_belong_to_the_class(tmp_path: Path) -> None:
    class_folders(tmp_path)
    save(photo(77), tmp_path / "cat" / "kittens" / "black" / "1.jpg")
    examples = ImageFolder.open(tmp_path, DataSpec())
    assert dict(zip(examples.facts.classes, examples.facts.class_counts, strict=True)) == {"cat": 7, "dog": 6}


def test_side_folders_give_the_split_under_any_usual_name(tmp_path: Path) -> None:
    for side, start in (("Training", 0), ("valid", 100), ("test", 200)):
        class_folders(tmp_path / side, count=3, start=start)
    examples = ImageFolder.open(tmp_path, DataSpec())
    assert examples.facts.given_split == {"train": 6, "val": 6, "test": 6}
    assert examples.given_split is not None
    assert set(examples.given_split) == {"train", "val", "test"}


def test_a_class_called_train_is_a_class(tmp_path: Path) -> None:
    examples = ImageFolder.open(class_folders(tmp_path, classes=("bus", "train")), DataSpec())
    assert examples.facts.classes == ("bus", "train")
    assert examples.given_split is None


def test_an_unpacked_archive_in_a_folder_of_its_own_is_looked_through(tmp_path: Path) -> None:
    class_folders(tmp_path / "photos-main" / "photos")
    examples = ImageFolder.open(tmp_path, DataSpec())
    assert examples.facts.classes == ("cat", "dog")
    assert examples.facts.guesses[0].what == "classes are the folders in photos-main/photos/"


def test_a_class_that_only_the_test_side_holds_is_refused(tmp_path: Path) -> None:
    class_folders(tmp_path / "train")
    class_folders(tmp_path / "test", classes=("cat", "dog", "owl"), start=50)
    error = refused(tmp_path)
    assert error.code == "LL027"
    assert "owl" in error.message


def test_a_class_that_a_test_side_lacks_is_told(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", classes=("cat", "dog", "owl"))
    class_folders(tmp_path / "test", start=50)
    assert problems(ImageFolder.open(tmp_path, DataSpec()))["class_missing_in_split"] == (1, ("owl",))


def test_two_folders_for_one_side_are_refused(tmp_path: Path) -> None:
    for side, start in (("train", 0), ("val", 50), ("valid", 90)):
        class_folders(tmp_path / side, start=start)
    assert refused(tmp_path).code == "LL030"


def test_pictures_beside_the_sides_are_refused(tmp_path: Path) -> None:
    for side, start in (("train", 0), ("test", 50), ("extra", 90)):
        class_folders(tmp_path / side, start=start)
    error = refused(tmp_path)
    assert error.code == "LL014"
    assert "extra" in error.message


def test_a_test_folder_without_labels_is_told_and_not_used(tmp_path: Path) -> None:
    class_folders(tmp_path / "train")
    class_folders(tmp_path / "val", start=50)
    save(photo(99), tmp_path / "test" / "unknown.png")
    examples = ImageFolder.open(tmp_path, ALL)
    assert examples.facts.given_split == {"train": 12, "val": 12}
    assert problems(examples)["unlabelled_test"] == (1, ("test/unknown.png",))


def test_hidden_files_and_litter_are_ignored_and_counted(tmp_path: Path) -> None:
    class_folders(tmp_path)
    for name in (".DS_Store", "Thumbs.db", "__MACOSX/cat/._0.png", "cat/.hidden.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"litter")
    (tmp_path / "README.md").write_text("about")
    examples = ImageFolder.open(tmp_path, DataSpec())
    assert len(examples) == 12
    assert problems(examples)["hidden_files"] == (4, (".DS_Store", "Thumbs.db", "__MACOSX", "cat/.hidden.png"))
    assert problems(examples)["other_files"] == (1, ("README.md",))


def test_a_folder_linked_in_a_circle_ends(tmp_path: Path) -> None:
    class_folders(tmp_path)
    os.symlink(tmp_path, tmp_path / "cat" / "again")
    assert len(ImageFolder.open(tmp_path, DataSpec())) == 12


def test_odd_files_are_kept_and_told_by_kind(tmp_path: Path) -> None:
    class_folders(tmp_path)
    write_odd(tmp_path / "cat")
    examples = ImageFolder.open(tmp_path, DataSpec())
    told = problems(examples)
    assert len(examples) == 22
    assert told["cmyk_pictures"] == (1, ("cat/cmyk.jpg",))
    assert told["16_bit_pictures"] == (1, ("cat/deep.png",))
    assert told["transparent_pictures"] == (1, ("cat/clear.png",))
    assert told["animated_pictures"] == (1, ("cat/animated.gif",))
    assert told["rotated_by_exif_pictures"] == (1, ("cat/rotated.jpg",))
    assert {picture.shape[-1] for picture in examples.fetch(np.arange(22))} == {3}


def test_odd_files_become_the_pixels_that_people_see(tmp_path: Path) -> None:
    files = write_odd(tmp_path)
    deep, clear, rotated = (decode.read_image(files[name]) for name in ("deep", "clear", "rotated"))
    assert deep.shape == (48, 64, 1)
    assert deep.min() == 0
    assert deep.max() == 255
    assert abs(float(deep.mean()) - 127.5) < 1  # scaled, not clipped: a ramp stays a ramp
    assert (clear == 255).all()
    assert rotated.shape == (40, 20, 3)
    assert rotated[0].mean() < 20 < 235 < rotated[-1].mean()
    first_frame = np.asarray(photo(3)).astype(int)
    assert np.abs(decode.read_image(files["animated"]) - first_frame).mean() < 25
    assert decode.read_image(files["cmyk"]).shape == (48, 64, 3)


def test_unusable_files_stop_with_their_names_reasons_and_the_key(tmp_path: Path) -> None:
    class_folders(tmp_path)
    write_broken(tmp_path / "dog")
    error = refused(tmp_path)
    assert error.code == "LL003"
    assert "5 of 17" in error.message
    assert "dog/cut.jpg is truncated" in error.message
    assert "data.max_excluded=0.2942" in (error.help or "")
    assert len(ImageFolder.open(tmp_path, DataSpec(max_excluded=0.2942))) == 12


def test_unusable_files_are_left_out_the_same_in_every_run(tmp_path: Path) -> None:
    class_folders(tmp_path)
    write_broken(tmp_path / "dog")
    (tmp_path / "cat" / "phone.heic").write_bytes(b"another format")
    runs = [ImageFolder.open(tmp_path, ALL) for _ in range(2)]
    reasons = dict(runs[0].excluded())
    assert runs[0].excluded() == runs[1].excluded()
    assert runs[0].names == runs[1].names
    assert set(reasons) == {f"dog/{name}" for name in ("cut.jpg", "cut.png", "empty.jpg", "text.jpg", "damaged.png")} | {"cat/phone.heic"}
    assert reasons["dog/empty.jpg"] == "holds zero bytes"
    assert reasons["dog/cut.png"] == "is truncated"
    assert "is no picture that can be read" in reasons["dog/text.jpg"]
    assert "format that is not read" in reasons["cat/phone.heic"]
    assert sum(problem.count for problem in runs[0].facts.problems if problem.severity == "excluded") == 6


def test_a_picture_that_claims_too_many_pixels_is_refused_before_decoding(tmp_path: Path) -> None:
    class_folders(tmp_path)
    save(Image.new("1", (9000, 9000)), tmp_path / "cat" / "bomb.png")
    save(Image.new("1", (14000, 14000)), tmp_path / "cat" / "bigger.png")
    reasons = dict(ImageFolder.open(tmp_path, ALL).excluded())
    assert reasons["cat/bomb.png"] == "has 9000 x 9000 pixels, more than 64 million"
    assert "64 million" in reasons["cat/bigger.png"]


def test_a_large_folder_is_checked_without_decoding_and_finds_the_same_broken_files(tmp_path: Path) -> None:
    broken = write_broken(tmp_path)
    odd = write_odd(tmp_path)
    packed = PackedFiles([path.name for path in (*broken.values(), *odd.values())], root=tmp_path)
    whole, headers = scan(packed), scan(packed, whole_bytes=0)
    assert {name for name, _ in headers.excluded} == {name for name, _ in whole.excluded} == set(broken)
    assert headers.near is None
    assert headers.pixels is None
    assert (headers.sizes == whole.sizes).all()
    assert {kind: places.tolist() for kind, places in headers.oddities.items()} == {kind: p.tolist() for kind, p in whole.oddities.items()}


def test_pixels_that_are_too_many_to_keep_are_decoded_when_fetched(tmp_path: Path) -> None:
    examples = ImageFolder.open(class_folders(tmp_path), DataSpec())
    lean = scan(examples.packed, keep_bytes=20_000)
    frugal = PackedImages(examples.facts, examples.names, examples.targets, None, examples.packed, lean, {})
    pictures = frugal.fetch(np.array([3, 0, 7]))
    assert isinstance(pictures, Pictures)
    assert all((a == b).all() for a, b in zip(pictures, examples.fetch(np.array([3, 0, 7])), strict=True))
    assert (frugal.thumbnails(np.arange(4)) == examples.thumbnails(np.arange(4))).all()


def test_a_file_that_breaks_after_the_scan_is_named_when_fetched(tmp_path: Path) -> None:
    class_folders(tmp_path)
    pictures = Pictures(PackedFiles(["cat/0.png"], root=tmp_path))
    (tmp_path / "cat" / "0.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"cat/0\.png holds zero bytes"):
        pictures[0]


def test_pictures_without_colour_come_with_one_channel_also_when_stored_with_three(tmp_path: Path) -> None:
    for index in range(6):
        save(photo(index).convert("L").convert("RGB" if index % 2 else "L"), tmp_path / "ab"[index % 2] / f"{index}.png")
    examples = ImageFolder.open(tmp_path, DataSpec())
    assert examples.facts.images is not None
    assert examples.facts.images.modes == {"L": 3, "RGB": 3}
    assert {picture.shape for picture in examples.fetch(np.arange(6))} == {(48, 64, 1)}


def test_equal_pixels_give_equal_hashes_whatever_the_file(tmp_path: Path) -> None:
    class_folders(tmp_path)
    save(photo(0), tmp_path / "dog" / "copy.bmp")
    examples = ImageFolder.open(tmp_path, DataSpec())
    hashes = dict(zip(examples.names, examples.content_hashes().tolist(), strict=True))
    assert hashes["cat/0.png"] == hashes["dog/copy.bmp"]
    assert len(set(hashes.values())) == 12


def test_a_missing_an_empty_and_a_pictureless_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text("text")
    for name, code in (("missing", "LL001"), ("empty", "LL002"), ("notes", "LL004")):
        with pytest.raises(InputError) as caught:
            recognise(str(tmp_path / name))
        assert caught.value.code == code
    assert refused(tmp_path / "notes").code == "LL002"
    write_broken(tmp_path / "broken" / "cat")
    assert refused(tmp_path / "broken").code == "LL002"


def test_one_class_only_is_refused(tmp_path: Path) -> None:
    error = refused(class_folders(tmp_path, classes=("cat",)))
    assert error.code == "LL015"
    assert "'cat'" in error.message


def flat(root: Path, rows: str, *, name: str = "labels.csv", count: int = 6) -> Path:
    for index in range(count):
        save(photo(index), root / f"{index}.png")
    (root / name).write_text(rows)
    return root


ROWS = "".join(f"{index}.png,{'cat' if index % 2 else 'dog'},p{index // 2},{'test' if index > 3 else 'train'}\n" for index in range(6))


def test_a_flat_folder_takes_labels_from_the_table_beside_it(tmp_path: Path) -> None:
    examples = ImageFolder.open(flat(tmp_path, "picture,label,patient,part\n" + ROWS), DataSpec())
    assert examples.targets.tolist() == ["dog", "cat"] * 3
    assert examples.facts.target == "label"
    assert examples.column("patient").tolist() == ["p0", "p0", "p1", "p1", "p2", "p2"]
    assert examples.column("part")[-1] == "test"
    assert "other_files" not in problems(examples)
    with pytest.raises(InputError, match="there is no column 'person'"):
        examples.column("person")
    assert Selection(examples, np.array([4, 1])).column("patient").tolist() == ["p2", "p0"]


def test_names_in_the_table_may_lack_suffix_or_header_or_carry_folders(tmp_path: Path) -> None:
    stems = "id;breed\n" + "".join(f"{index};{'cat' if index % 2 else 'dog'}\n" for index in range(6))
    bare = "".join(f"{index}.png,{'cat' if index % 2 else 'dog'}\n" for index in range(6))
    for name, rows in (("stems", stems), ("bare", bare), ("windows", bare.replace("0.png", ".\\0.png"))):
        assert ImageFolder.open(flat(tmp_path / name, rows), DataSpec()).targets.tolist() == ["dog", "cat"] * 3
    below = flat(tmp_path / "below" / "images", "x")
    (below / "labels.csv").rename(tmp_path / "below" / "labels.csv")
    (tmp_path / "below" / "labels.csv").write_text("file,kind\n" + bare.replace("1.png", "images/1.png"))
    assert ImageFolder.open(tmp_path / "below", DataSpec()).targets.tolist() == ["dog", "cat"] * 3


def test_rows_without_picture_and_pictures_without_row_are_named(tmp_path: Path) -> None:
    rows = "file,label\n0.png,a\n1.png,b\n2.png,a\n3.png,\n9.png,b\n"
    error = refused(flat(tmp_path, rows))
    assert error.code == "LL003"
    reasons = dict(ImageFolder.open(tmp_path, ALL).excluded())
    assert reasons == {
        "labels.csv row 6: 9.png": "has no picture",
        "3.png": "has no label in labels.csv",
        "4.png": "has no label in labels.csv",
        "5.png": "has no label in labels.csv",
    }


def test_the_label_column_is_asked_for_when_it_is_not_clear(tmp_path: Path) -> None:
    rows = "file,breed,colour\n" + "".join(f"{i}.png,{'ab'[i % 2]},{'xyz'[i % 3]}\n" for i in range(6))
    error = refused(flat(tmp_path, rows))
    assert error.code == "LL017"
    assert "breed, colour" in error.message
    assert ImageFolder.open(tmp_path, DataSpec(target="colour")).facts.classes == ("x", "y", "z")
    assert ImageFolder.open(tmp_path, DataSpec(target=1)).facts.classes == ("a", "b")
    assert "data.target=colour" in str(refused(tmp_path, DataSpec(target="color")))


def test_bad_label_files_are_refused_clearly(tmp_path: Path) -> None:
    flat(tmp_path, "file,label\n0.png,a\n0.png,b\n")
    assert refused(tmp_path, DataSpec(labels="labels.csv")).code == "LL030"
    assert refused(tmp_path, DataSpec(labels="label.csv")).code == "LL001"
    (tmp_path / "labels.csv").write_text("a,b\nx,y\n")
    assert refused(tmp_path, DataSpec(labels="labels.csv")).code == "LL014"
    error = refused(tmp_path)
    assert error.code == "LL014"
    assert "data.labels=" in (error.help or "")


def test_two_tables_that_list_the_pictures_are_refused(tmp_path: Path) -> None:
    flat(tmp_path, ROWS)
    flat(tmp_path, ROWS, name="more.csv")
    assert refused(tmp_path).code == "LL030"


NAMES = st.text("abc", min_size=1, max_size=2)


@given(st.lists(st.lists(NAMES, min_size=1, max_size=4).map("/".join), min_size=1, max_size=30, unique=True))
def test_arranging_loses_no_picture(paths: list[str]) -> None:
    found = arrange(sorted(paths), "photos")
    assert sorted([*found.pictures, *found.loose]) == sorted(paths)
    assert len(found.labels) == len(found.pictures)
    assert all(label in path.split("/") for label, path in zip(found.labels, found.pictures, strict=True))


@given(
    st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF....WEBP", b"BM", b"II*\0"])
)
def test_any_bytes_decode_or_are_unreadable_with_a_reason(tail: bytes, head: bytes) -> None:
    with decode.quiet():
        for look in (decode.decode, decode.inspect):
            with suppress(decode.Unreadable):  # any other exception fails the test
                assert min(look(head + tail).size) > 0
