"""Changes of images: right by the pixel, and a function of (seed, epoch, index) to the bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from leadline.data import colour, geometry
from leadline.data.augment import Augment
from leadline.data.mixing import Mixing, draw, mix_images, mix_targets
from leadline.data.randaugment import OPERATIONS, randaugment
from leadline.data.settings import AugmentSpec

SPECS = {
    "flip": AugmentSpec(flip=True),
    "crop": AugmentSpec(crop=3),
    "scale": AugmentSpec(scale=0.6),
    "rotate": AugmentSpec(rotate=30),
    "colour": AugmentSpec(colour=0.5),
    "erase": AugmentSpec(erase=0.7),
    "randaugment": AugmentSpec(randaugment=3, randaugment_magnitude=15),
    "all": AugmentSpec(flip=True, crop=2, scale=0.3, rotate=10, colour=0.3, erase=0.5, randaugment=2),
}


def images(count: int, *, channels: int = 3, side: int = 12) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, channels, side, side), dtype=np.uint8))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", SPECS)
def test_a_sample_changes_the_same_way_whatever_stands_beside_it(name, channels):
    augment, whole = Augment(SPECS[name], seed=5), images(48, channels=channels)
    together = augment.change(whole, epoch=2, indices=np.arange(100, 148))
    assert together.dtype == torch.uint8
    assert together.shape == whole.shape
    for rows in (np.array([0]), np.array([47]), np.array([9, 3]), np.arange(48)[::-1].copy(), np.arange(1, 48, 5)):
        apart = augment.change(whole[rows], epoch=2, indices=100 + rows)
        assert torch.equal(apart, together[rows])


@pytest.mark.parametrize("name", SPECS)
def test_another_epoch_or_seed_changes_otherwise_and_the_original_stays(name):
    whole = images(32)
    before = whole.clone()
    first = Augment(SPECS[name], seed=0).change(whole, epoch=0, indices=np.arange(32))
    assert torch.equal(whole, before)
    assert not torch.equal(first, whole)
    assert not torch.equal(first, Augment(SPECS[name], seed=0).change(whole, epoch=1, indices=np.arange(32)))
    assert not torch.equal(first, Augment(SPECS[name], seed=1).change(whole, epoch=0, indices=np.arange(32)))


def test_nothing_asked_for_changes_nothing():
    augment = Augment(AugmentSpec(), seed=0)
    assert not augment.changes
    assert not augment.mixes
    assert torch.equal(augment.change(images(4), epoch=0, indices=np.arange(4)), images(4))


def test_switching_one_change_on_leaves_the_others_as_they_were():
    whole = images(16)
    flipped = Augment(AugmentSpec(flip=True), seed=0).change(whole, epoch=0, indices=np.arange(16))
    both = Augment(AugmentSpec(flip=True, erase=1.0), seed=0).change(whole, epoch=0, indices=np.arange(16))
    assert all((a != b).any() and (a == b).float().mean() > 0.5 for a, b in zip(flipped, both, strict=True))


def test_flips_mirror_about_half_of_the_images_and_nothing_else():
    whole = images(400, side=4)
    changed = Augment(AugmentSpec(flip=True), seed=0).change(whole, epoch=0, indices=np.arange(400))
    mirrored = [torch.equal(new, old.flip(-1)) for new, old in zip(changed, whole, strict=True)]
    assert all(is_mirrored or torch.equal(new, old) for is_mirrored, new, old in zip(mirrored, changed, whole, strict=True))
    assert 160 < sum(mirrored) < 240


@settings(max_examples=50, deadline=None)
@given(margin=st.integers(1, 4), channels=st.sampled_from([1, 3]), high=st.integers(2, 9), wide=st.integers(2, 9), seed=st.integers(0, 99))
def test_a_shift_is_a_window_of_the_padded_image_by_the_pixel(margin, channels, high, wide, seed):
    chance = np.random.default_rng(seed)
    whole = torch.from_numpy(chance.integers(0, 256, (5, channels, high, wide), dtype=np.uint8))
    down, right = chance.integers(0, 2 * margin + 1, (2, 5))
    padded = np.pad(whole.numpy(), ((0, 0), (0, 0), (margin, margin), (margin, margin)))
    expected = [padded[i, :, down[i] : down[i] + high, right[i] : right[i] + wide] for i in range(5)]
    assert np.array_equal(geometry.shift(whole, down, right, margin=margin).numpy(), np.stack(expected))


def test_crops_reach_every_shift():
    whole = torch.zeros(3000, 1, 5, 5, dtype=torch.uint8)
    whole[:, 0, 2, 2] = 1
    changed = Augment(AugmentSpec(crop=2), seed=0).change(whole, epoch=0, indices=np.arange(3000))
    places = changed.sum(0)[0]
    assert places.min() > 80  # 120 expected in each of 25 places
    assert places.sum() == 3000


def test_a_map_that_moves_nothing_keeps_every_pixel_and_a_quarter_turn_is_a_quarter_turn():
    whole = images(6)
    assert torch.equal(geometry.affine(whole, geometry.unit(6)), whole)
    turned = geometry.affine(whole, geometry.rotation(np.full(6, 90.0), aspect=1), mode="nearest")
    assert torch.equal(turned, whole.rot90(1, (2, 3))) or torch.equal(turned, whole.rot90(-1, (2, 3)))


def test_a_turn_of_a_wide_image_keeps_lengths():
    whole = torch.zeros(1, 1, 21, 41, dtype=torch.uint8)
    whole[0, 0, 10, 14:27] = 255
    turned = geometry.affine(whole, geometry.rotation(np.array([90.0]), aspect=41 / 21), mode="nearest")
    assert (turned[0, 0, :, 20] > 0).sum() == 13
    assert turned.count_nonzero() == 13


def test_a_resized_crop_of_the_whole_is_the_whole():
    whole = images(3)
    maps = geometry.window(np.ones(3), np.ones(3), np.array([0.0, 0.5, 1.0]), np.array([1.0, 0.5, 0.0]))
    assert torch.equal(geometry.affine(whole, maps), whole)


def test_a_resized_crop_of_a_corner_shows_that_corner():
    whole = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    whole[0, 0, :4, 4:] = 200
    corner = geometry.affine(whole, geometry.window(np.array([0.25]), np.ones(1), np.array([1.0]), np.array([0.0])), mode="nearest")
    assert (corner == 200).all()


def test_erasing_blanks_one_rectangle_in_the_share_asked_for():
    whole = images(600, side=16)
    changed = Augment(AugmentSpec(erase=0.5), seed=0).change(whole, epoch=0, indices=np.arange(600))
    touched = (changed != whole).any(1)
    assert 250 < touched.flatten(1).any(1).sum() < 350
    for mask in touched[touched.flatten(1).any(1)][:20]:
        rows, columns = torch.where(mask)
        area = (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
        assert mask.sum() >= 0.9 * area  # a pixel may have had the mean brightness already


def pillow(image: torch.Tensor):
    from PIL import Image

    return Image.fromarray(image.permute(1, 2, 0).squeeze().numpy())


def pixels(image) -> torch.Tensor:
    array = torch.from_numpy(np.asarray(image).copy())
    return array.permute(2, 0, 1) if array.dim() == 3 else array[None]


@pytest.mark.parametrize("channels", [1, 3])
def test_tones_are_those_of_pillow(channels):
    from PIL import ImageOps

    whole = images(5, channels=channels, side=20)
    whole[1] //= 4
    whole[2] = 77
    for number, image in enumerate(whole):
        assert torch.equal(colour.equalize(whole)[number], pixels(ImageOps.equalize(pillow(image))))
        assert torch.equal(colour.posterize(whole, 3)[number], pixels(ImageOps.posterize(pillow(image), 3)))
        assert torch.equal(colour.solarize(whole, 100)[number], pixels(ImageOps.solarize(pillow(image), 100)))
        apart = colour.autocontrast(whole)[number].int() - pixels(ImageOps.autocontrast(pillow(image))).int()
        assert apart.abs().max() <= 1  # Pillow works with a table of rounded-down values


def test_brightness_contrast_and_saturation_are_those_of_pillow():
    from PIL import ImageEnhance

    whole = images(4, side=20)
    factor = np.array([0.4, 0.9, 1.2, 1.7])
    kinds = {"Brightness": 0.0, "Contrast": colour.mean_grey(whole), "Color": colour.grey(whole), "Sharpness": colour.smooth(whole)}
    for name, other in kinds.items():
        ours = colour.blend(whole, other, factor)
        for number, image in enumerate(whole):
            theirs = pixels(getattr(ImageEnhance, name)(pillow(image)).enhance(factor[number]))
            assert (ours[number].int() - theirs.int()).abs().max() <= 2


def test_randaugment_runs_every_operation_and_at_no_strength_hardly_changes_the_image():
    whole, ops = images(len(OPERATIONS), side=32), (np.arange(len(OPERATIONS)) + 0.5) / len(OPERATIONS)
    chance = np.stack([ops, np.full(len(ops), 0.7)], axis=1)
    changed = dict(zip(OPERATIONS, randaugment(whole, chance, magnitude=20) != whole, strict=True))
    same = [name for name, different in changed.items() if not different.any()]
    assert same == ["autocontrast", "identity"]  # these pixels fill the range already
    still = dict(zip(OPERATIONS, randaugment(whole, chance, magnitude=0).int() - whole, strict=True))
    assert all(still[name].abs().max() <= 1 for name in OPERATIONS if name not in ("equalize", "autocontrast"))


@pytest.mark.parametrize("spec", [AugmentSpec(mixup=0.3), AugmentSpec(cutmix=1.0), AugmentSpec(mixup=0.3, cutmix=1.0)])
def test_mixed_targets_are_shares_that_sum_to_one(spec):
    for step in range(20):
        mixing = draw(spec, (9, 7), seed=0, epoch=1, step=step, size=13)
        assert sorted(mixing.partner.tolist()) == list(range(13))
        codes = torch.arange(13) % 4
        target = mix_targets(codes, codes[torch.from_numpy(mixing.partner)], mixing, num_classes=4)
        assert torch.allclose(target.sum(1), torch.ones(13))
        assert (target >= 0).all()


def test_with_both_on_some_steps_cut_and_some_blend():
    spec = AugmentSpec(mixup=0.3, cutmix=1.0)
    kinds = {draw(spec, (8, 8), seed=0, epoch=0, step=step, size=4).box is None for step in range(20)}
    assert kinds == {True, False}


def test_a_cut_patch_covers_the_share_that_the_target_says():
    mixing = draw(AugmentSpec(cutmix=1.0), (10, 6), seed=0, epoch=0, step=0, size=50)
    mixed = mix_images(torch.zeros(50, 2, 10, 6, dtype=torch.uint8), torch.ones(50, 2, 10, 6, dtype=torch.uint8), mixing)
    assert mixed.dtype == torch.uint8
    covered = mixed.to(torch.float64).mean((1, 2, 3)).numpy()
    assert np.allclose(1 - covered, mixing.kept)
    assert covered.std() > 0.1


def test_a_blend_is_weighted_and_numbers_are_blended_like_pixels():
    mixing = Mixing(np.array([1, 0]), np.array([0.75, 0.5]), None)
    whole = torch.tensor([100, 200], dtype=torch.uint8)[:, None, None, None].expand(2, 1, 2, 2)
    mixed = mix_images(whole, whole.flip(0), mixing)
    assert mixed[:, 0, 0, 0].tolist() == [125.0, 150.0]
    numbers = torch.tensor([[4.0], [8.0]])
    assert mix_targets(numbers, numbers.flip(0), mixing, num_classes=None)[:, 0].tolist() == [5.0, 6.0]
