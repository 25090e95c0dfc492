"""Sounds become spectrograms and frames: equal to a reference, of one length, standardised by the training clips, masked by chance."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tones import RATE, put, tone, two_classes
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

from leadline.base.errors import InputError
from leadline.data.augment import Augment
from leadline.data.logmel import LogMel
from leadline.data.preparers.frames import FramesPreparer
from leadline.data.preparers.spectrogram import SpectrogramPreparer
from leadline.data.settings import AugmentSpec, DataSpec
from leadline.data.sound import resample
from leadline.data.sound_examples import Sounds
from leadline.data.sources.wav_folder import WavFolder
from leadline.record.ports import Frames, Images


def _noise(seconds: float, *, rate: int = RATE, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * rate)).astype(np.float32)


@pytest.fixture
def sounds(tmp_path: Path) -> Sounds:
    """Twelve tones of 0.2 s, and one of 0.5 s."""
    two_classes(tmp_path)
    put(tmp_path / "low" / "long.wav", tone(0.5, pitch=230))
    return WavFolder.open(tmp_path, DataSpec())


@pytest.mark.parametrize(("rate", "mels"), [(8000, 64), (16000, 80), (22050, 40)])
def test_the_spectrogram_equals_that_of_transformers(rate: int, mels: int) -> None:
    hears, samples = LogMel.of(rate, window_ms=25, hop_ms=10, mels=mels), _noise(0.4, rate=rate)
    margin = hears.fft - hears.window
    window = np.pad(window_function(hears.window, "hann"), (margin // 2, margin - margin // 2))
    filters = mel_filter_bank(hears.fft // 2 + 1, mels, 0.0, rate / 2, rate)
    expected = spectrogram(
        samples.astype(np.float64), window, hears.fft, hears.hop, hears.fft, power=2.0, pad_mode="constant", mel_filters=filters
    )
    assert np.allclose(hears.filters, filters, atol=1e-9)
    found = hears.power(samples).numpy()
    assert found.shape == expected.shape == (mels, hears.frames(len(samples)))
    assert np.allclose(found, expected, rtol=1e-4, atol=1e-4 * expected.max())


def test_levels_are_relative_to_the_clips_own_loudest_band() -> None:
    hears = LogMel.of(RATE, window_ms=25, hop_ms=10, mels=40)
    loud, soft = hears.levels((tone(loud=0.8), RATE)), hears.levels((tone(loud=0.1), RATE))
    assert loud.max() == soft.max() == 255
    assert np.abs(loud.astype(int) - soft.astype(int)).max() <= 1
    assert hears.levels((np.zeros(1600, np.float32), RATE)).max() == 0


def test_a_tone_keeps_its_place_on_the_mel_scale_when_it_is_resampled() -> None:
    hears = LogMel.of(RATE, window_ms=25, hop_ms=10, mels=40)
    high = hears.levels((tone(rate=44_100), 44_100)).astype(int)
    own = hears.levels((tone(), RATE)).astype(int)
    assert len(resample(tone(rate=44_100), 44_100, RATE)) == len(tone())
    assert (high[:, 5:-5].argmax(axis=0) == own[:, 5:-5].argmax(axis=0)).all()


def test_more_bands_than_the_spectrum_tells_apart_are_refused() -> None:
    with pytest.raises(InputError, match="narrower than the steps"):
        LogMel.of(RATE, window_ms=10, hop_ms=10, mels=128)


def test_clips_of_any_length_become_one_length(sounds: Sounds) -> None:
    spec = DataSpec.model_validate({"audio": {"seconds": 0.3, "mels": 32}})
    preparer = SpectrogramPreparer.fit(sounds, np.arange(len(sounds)), spec)
    assert preparer.gives == Images(1, 32, 31)
    long = [name == "low/long.wav" for name in sounds.names].index(True)
    (levels,) = preparer.store(sounds.fetch(np.array([0, long])))
    assert levels.shape == (2, 1, 32, 31)
    assert not levels[0, 0, :, :5].any()  # silence on both sides of the short one
    assert not levels[0, 0, :, -5:].any()
    assert levels[1, 0].any(axis=0).all()


def test_training_clips_have_mean_0_and_deviation_1_in_each_band(sounds: Sounds) -> None:
    rows = np.arange(8)
    preparer = SpectrogramPreparer.fit(sounds, rows, DataSpec())
    (inputs,) = preparer.inputs(tuple(map(torch.from_numpy, preparer.store(sounds.fetch(rows)))))
    moving = np.array(preparer.std) > 4.01  # bands that hardly change keep a floor under their deviation
    assert moving.sum() > 10
    assert torch.allclose(inputs.mean(dim=(0, 1, 3))[moving], torch.zeros(int(moving.sum())), atol=1e-3)
    assert torch.allclose(inputs.std(dim=(0, 1, 3), correction=0)[moving], torch.ones(int(moving.sum())), atol=1e-3)


def test_a_spectrogram_does_not_depend_on_what_else_is_prepared(sounds: Sounds) -> None:
    preparer = SpectrogramPreparer.fit(sounds, np.arange(8), DataSpec())
    again = SpectrogramPreparer.from_dict(json.loads(json.dumps(preparer.to_dict())))
    assert again == preparer
    whole = preparer.store(sounds.fetch(np.arange(13)))[0]
    assert np.array_equal(whole[5:6], again.store(sounds.fetch(np.array([5])))[0])


def test_frames_are_as_many_as_the_sound_is_long_and_zero_behind_its_end(sounds: Sounds) -> None:
    preparer = FramesPreparer.fit(sounds, np.arange(len(sounds)), DataSpec.model_validate({"audio": {"mels": 32}}))
    assert preparer.gives == Frames(64, 26)  # 51 spectra of the longest, two to a frame
    rows = np.array([0, [name == "low/long.wav" for name in sounds.names].index(True)])
    stored = tuple(map(torch.from_numpy, preparer.store(sounds.fetch(rows))))
    frames, lengths = preparer.inputs(stored)
    assert lengths.tolist() == [11, 26]
    assert not frames[0, 11:].any()
    assert frames[1, 25].any()
    assert preparer.lengths(stored).tolist() == [[11, 1], [26, 1]]
    assert FramesPreparer.from_dict(json.loads(json.dumps(preparer.to_dict()))) == preparer


def test_a_sound_longer_than_the_model_hears_is_refused(sounds: Sounds) -> None:
    preparer = FramesPreparer.fit(sounds, np.arange(len(sounds)), DataSpec())
    with pytest.raises(InputError, match=r"lasts 2.0 s, and the model hears up to 0.5 s"):
        preparer.store([(tone(2.0), RATE)])
    with pytest.raises(InputError, match="takes sounds"):
        preparer.store(np.zeros((2, 100)))


def _masked(indices: list[int], **spec: float) -> torch.Tensor:
    images = torch.full((len(indices), 1, 40, 60), 200, dtype=torch.uint8)
    images[:, :, ::2] = 100
    return Augment(AugmentSpec(**spec), seed=1).change(images, epoch=3, indices=np.array(indices))


def test_masks_cover_whole_times_and_whole_bands_and_no_more_than_asked() -> None:
    changed = _masked(list(range(64)), time_mask=0.2, freq_mask=0.1)[:, 0] == 150  # the mean of each spectrogram
    times, bands = changed.all(dim=1), changed.all(dim=2)
    assert torch.equal(changed, times[:, None, :] | bands[:, :, None])
    assert 0 < int(times.sum(1).max()) <= 2 * 12
    assert 0 < int(bands.sum(1).max()) <= 2 * 4
    assert not _masked([0, 1], time_mask=0.2)[:, 0].eq(150).all(dim=2).any()


def test_masks_depend_on_the_example_alone() -> None:
    whole = _masked([4, 9, 2], time_mask=0.3, freq_mask=0.3)
    assert torch.equal(whole[1:2], _masked([9], time_mask=0.3, freq_mask=0.3))
    assert not torch.equal(whole[0], whole[1])
