"""Preparing pictures: one size, statistics of the training pictures only, the same numbers from a file, an array or a folder."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import class_folders, jpeg_bytes, photo, save, write_broken
from made import Made, pictures
from PIL import Image

from leadline.base.errors import InputError
from leadline.data.packed import PackedFiles
from leadline.data.pixels import Pictures
from leadline.data.preparers.images import ImagesPreparer, read_image
from leadline.data.settings import DataSpec
from leadline.data.source import Examples
from leadline.data.sources.image_folder import ImageFolder
from leadline.data.sources.mnist_idx import MnistIdx


def fitted(examples: Examples, spec: DataSpec | None = None) -> ImagesPreparer:
    return ImagesPreparer.fit(examples, np.arange(len(examples)), spec or DataSpec())


def test_small_pictures_of_one_size_keep_it_also_when_not_square(tmp_path: Path) -> None:
    preparer = fitted(ImageFolder.open(class_folders(tmp_path), DataSpec()))
    assert (preparer.gives.channels, preparer.gives.height, preparer.gives.width) == (3, 48, 64)
    assert preparer.guesses[0].what == "pictures stay at 64 x 48 pixels"


def test_large_or_unequal_pictures_are_brought_to_a_square_that_is_said(tmp_path: Path) -> None:
    for index, side in enumerate((90, 100, 130, 110)):
        save(photo(index, width=side + 20, height=side), tmp_path / "ab"[index % 2] / f"{index}.png")
    examples = ImageFolder.open(tmp_path, DataSpec())
    preparer = fitted(examples)
    assert (preparer.height, preparer.width) == (96, 96)
    assert "brought to 96 x 96" in preparer.guesses[0].what
    assert preparer.guesses[0].override == "data.image_size=192"
    assert preparer.store(examples.fetch(np.arange(4)))[0].shape == (4, 3, 96, 96)


def test_pictures_are_never_brought_beyond_128_by_themselves_but_by_the_user() -> None:
    examples = Made(3, pixels=np.zeros((3, 300, 400, 1), np.uint8))
    assert fitted(examples).height == 128
    asked = fitted(examples, DataSpec(image_size=200))
    assert (asked.height, asked.width, asked.guesses) == (200, 200, ())


def test_statistics_come_from_the_training_pictures_only() -> None:
    examples = pictures(40, side=12)
    examples.pixels[20:] = 255
    preparer = ImagesPreparer.fit(examples, np.arange(20), DataSpec())
    train = examples.pixels[:20].reshape(-1, 3) / 255
    assert preparer.mean == pytest.approx(train.mean(0), abs=1e-12)
    assert preparer.std == pytest.approx(train.std(0), abs=1e-12)


def test_a_channel_without_contrast_is_not_blown_up() -> None:
    preparer = fitted(Made(4, pixels=np.full((4, 9, 9, 1), 40, np.uint8)))
    assert preparer.std == (1e-3,)


def test_inputs_are_normalised_and_keep_the_memory_layout_bit_for_bit() -> None:
    examples = pictures(50, side=10)
    preparer = fitted(examples)
    stored = torch.from_numpy(preparer.store(examples.fetch(np.arange(50)))[0])
    plain = preparer.inputs((stored,))[0]
    lasting = preparer.inputs((stored.contiguous(memory_format=torch.channels_last),))[0]
    assert plain.dtype == torch.float32
    assert torch.equal(plain, lasting)
    assert lasting.is_contiguous(memory_format=torch.channels_last)
    assert plain.mean((0, 2, 3)).abs().max() < 1e-5
    assert (plain.std((0, 2, 3)) - 1).abs().max() < 1e-3


def test_inputs_leave_what_they_are_given_as_it_is() -> None:
    preparer = fitted(pictures(10))
    mixed = torch.rand(4, 3, 8, 8) * 255
    before = mixed.clone()
    assert torch.equal(preparer.inputs((mixed,))[0], preparer.inputs((before,))[0])
    assert torch.equal(mixed, before)


def test_what_is_written_is_read_back_exactly() -> None:
    preparer = fitted(pictures(30))
    again = ImagesPreparer.from_dict(json.loads(json.dumps(preparer.to_dict())))
    assert again == preparer
    assert preparer.to_dict()["kind"] == "images"


def test_a_set_of_arrays_is_stored_as_it_is(tmp_path: Path) -> None:
    examples = MnistIdx.open(MnistIdx.tiny(tmp_path), DataSpec())
    stored = fitted(examples).store(examples.fetch(np.arange(40)))[0]
    assert stored.shape == (40, 1, 16, 16)
    assert stored.dtype == np.uint8
    assert (stored[:, 0] == examples.pixels[..., 0]).all()


def test_a_file_its_bytes_its_array_and_its_pillow_picture_are_stored_alike(tmp_path: Path) -> None:
    examples = ImageFolder.open(class_folders(tmp_path), DataSpec())
    preparer = fitted(examples)
    path = tmp_path / "cat" / "3.png"
    forms = [str(path), path, path.read_bytes(), np.asarray(Image.open(path)), Image.open(path)]
    stored = preparer.store(forms)[0]
    trained_on = preparer.store(examples.fetch(np.array([3])))[0][0]
    assert all((one == trained_on).all() for one in stored)


def test_colour_becomes_grey_and_grey_colour_as_the_training_pictures_were() -> None:
    grey = fitted(pictures(6, channels=1))
    colour = fitted(pictures(6, channels=3))
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 200
    assert grey.store([red])[0].shape == (1, 1, 8, 8)
    assert abs(int(grey.store([red])[0][0, 0, 0, 0]) - 60) <= 1  # 0.299 of 200
    assert (colour.store([np.full((8, 8), 9, np.uint8)])[0] == 9).all()


def test_the_middle_is_cut_out_after_the_shorter_side_fits() -> None:
    preparer = ImagesPreparer(1, 32, 32, (0.0,), (1.0,))
    wide = np.zeros((64, 192, 1), np.uint8)
    wide[:, 64:128] = 255
    assert (preparer.store([wide])[0][0, 0, :, 2:-2] == 255).all()


def test_many_large_photos_are_stored_the_same_whatever_the_threads(tmp_path: Path) -> None:
    paths = [save(photo(index, width=600 + index, height=500), tmp_path / f"{index}.jpg", quality=80) for index in range(20)]
    preparer = ImagesPreparer(3, 48, 48, (0.5,) * 3, (0.5,) * 3)
    together = preparer.store(Pictures(PackedFiles(paths), channels=3))[0]
    alone = np.concatenate([preparer.store(Pictures(PackedFiles([path]), channels=3))[0] for path in paths])
    whole = preparer.store([np.asarray(Image.open(path)) for path in paths])[0]
    assert (together == alone).all()
    assert np.abs(together.astype(int) - whole).mean() < 2  # decoded at reduced size on the way


def test_inputs_that_cannot_be_read_are_refused_with_their_name(tmp_path: Path) -> None:
    preparer = fitted(pictures(6))
    broken = write_broken(tmp_path)
    for name, path in broken.items():
        with pytest.raises(InputError, match=name) as caught:
            preparer.store([str(path)])
        assert caught.value.code == "LL029"
    with pytest.raises(InputError) as caught:
        read_image(tmp_path / "missing.png")
    assert caught.value.code == "LL001"


@pytest.mark.parametrize(
    "array", [np.zeros((8, 8, 3)), np.zeros((8, 8, 2), np.uint8), np.zeros(8, np.uint8), np.zeros((0, 8, 3), np.uint8)], ids=str
)
def test_arrays_that_are_no_pictures_are_refused(array: np.ndarray) -> None:
    with pytest.raises(InputError) as caught:
        read_image(array)
    assert caught.value.code == "LL029"


def test_transparency_lies_over_white_in_arrays_too() -> None:
    clear = np.zeros((4, 4, 4), np.uint8)
    assert (read_image(clear) == 255).all()
    assert read_image(np.zeros((4, 5), np.uint8)).shape == (4, 5, 1)
    assert read_image(jpeg_bytes(photo(1))).shape == (48, 64, 3)
    assert read_image(Image.open(io.BytesIO(jpeg_bytes(photo(1).convert("L"))))).shape == (48, 64, 1)
