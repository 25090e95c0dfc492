"""Batches: the same ones wherever one starts, on however many processes, from whichever store."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data.made import Made, MadeImages, MadeRows, pictures
from leadline.base.errors import InputError
from leadline.data.ahead import ahead
from leadline.data.batches import Batches
from leadline.data.order import Order, draw_numbers
from leadline.data.preview import preview
from leadline.data.settings import AugmentSpec
from leadline.data.store import Store, build_store
from leadline.record.batch import Batch

CHANGED = AugmentSpec(flip=True, crop=2, mixup=0.4, cutmix=1.0)


def image_batches(store: Store | None = None, **settings) -> Batches:
    store = store or build_store(pictures(60), MadeImages(3, 8), "memory")
    given = {"indices": np.arange(4, 56), "targets": torch.arange(60) % 3, "batch_size": 8, "seed": 1, "num_classes": 3, **settings}
    return Batches(store, MadeImages(3, 8), **given)


def row_batches(size: int = 300, **settings) -> Batches:
    store = build_store(Made(size), MadeRows(), "memory")
    given = {"indices": np.arange(size), "targets": torch.arange(size, dtype=torch.float32), "batch_size": 16, "seed": 0, **settings}
    return Batches(store, MadeRows(), **given)


def same(first: Batch, second: Batch) -> bool:
    pairs = zip((*first.inputs, first.target, first.index), (*second.inputs, second.target, second.index), strict=True)
    return first.total == second.total and all(torch.equal(a, b) for a, b in pairs)


@settings(max_examples=40, deadline=None)
@given(size=st.integers(1, 120), batch_size=st.integers(1, 50), epoch=st.integers(0, 3))
def test_each_example_comes_once_per_epoch_but_for_a_small_rest(size, batch_size, epoch):
    batches = row_batches(size, batch_size=batch_size)
    seen = torch.cat([batch.index for batch in batches.epoch(epoch)])
    rest = size % batch_size
    kept = size if 2 * rest >= batch_size or rest == 0 or size < batch_size else size - rest
    assert len(seen) == len(set(seen.tolist())) == kept
    assert batches.steps == len(list(batches.epoch(epoch)))


@pytest.mark.parametrize("augment", [None, AugmentSpec(flip=True, crop=2), CHANGED])
@pytest.mark.parametrize("cache", ["memory", "disk", "none"])
def test_an_epoch_resumed_at_any_step_equals_its_tail(augment, cache, tmp_path):
    with build_store(pictures(60), MadeImages(3, 8), cache, folder=tmp_path) as store:
        batches = image_batches(store, augment=augment)
        whole = list(batches.epoch(2))
        for start in range(batches.steps + 1):
            tail = list(image_batches(store, augment=augment).epoch(2, start))
            assert len(tail) == len(whole) - start
            assert all(same(a, b) for a, b in zip(tail, whole[start:], strict=True))


def test_an_epoch_of_rows_resumes_where_many_steps_are_gathered_at_once():
    batches = row_batches(3000, batch_size=32)
    whole = list(batches.epoch(1))
    for start in (0, 1, 31, 63, 64, 65, 90):
        assert all(same(a, b) for a, b in zip(batches.epoch(1, start), whole[start:], strict=True))


@pytest.mark.parametrize("augment", [None, CHANGED])
def test_all_stores_and_numbers_of_workers_give_the_same_bits(augment, tmp_path):
    expected = list(image_batches(augment=augment).epoch(0))
    for cache, workers in (("disk", 0), ("none", 0), ("none", 1), ("none", 2)):
        with build_store(pictures(60), MadeImages(3, 8), cache, folder=tmp_path, workers=workers) as store:
            given = list(image_batches(store, augment=augment).epoch(0))
        assert all(same(a, b) for a, b in zip(given, expected, strict=True))


@pytest.mark.parametrize("world", [2, 3, 5])
@pytest.mark.parametrize("augment", [None, AugmentSpec(mixup=0.3), CHANGED])
def test_the_processes_together_see_what_one_would(world, augment):
    alone = list(image_batches(augment=augment).epoch(3))
    ranks = [list(image_batches(augment=augment, rank=rank, world=world).epoch(3)) for rank in range(world)]
    for number, whole in enumerate(alone):
        parts = [rank[number] for rank in ranks]
        assert {part.total for part in parts} == {whole.total} == {len(whole)}
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
        assert torch.equal(torch.cat([part.index for part in parts]), whole.index)
        assert torch.equal(torch.cat([part.inputs[0] for part in parts]), whole.inputs[0])
        assert torch.equal(torch.cat([part.target for part in parts]), whole.target)


def test_the_order_changes_with_the_epoch_and_the_seed_and_not_without_shuffling():
    def seen(epoch: int, **settings) -> list[int]:
        return torch.cat([batch.index for batch in row_batches(**settings).epoch(epoch)]).tolist()

    assert seen(0) != seen(1)
    assert seen(0) == seen(0)
    assert seen(0) != seen(0, seed=1)
    assert seen(5, shuffle=False) == list(range(300))


@pytest.mark.parametrize("world", [3, 7, 16])
def test_every_process_takes_every_step_even_with_an_empty_share(world):
    counts = [len(list(row_batches(12 * 16 + 9, rank=rank, world=world).epoch(0))) for rank in range(world)]
    assert set(counts) == {13}


def test_targets_inputs_and_weights_belong_to_the_index():
    batches = row_batches(weights=torch.arange(300) * 2.0)
    for batch in batches.epoch(0):
        assert batch.weight is not None
        assert torch.equal(batch.target, batch.index.to(torch.float32))
        assert torch.equal(batch.weight, batch.index * 2.0)
        assert torch.equal(batch.inputs[0][:, 0], batch.index.to(torch.float32) / 50)
        assert torch.equal(batch.inputs[1][:, 0], batch.index % 7)


def test_evaluation_sees_all_in_order_and_unchanged(tmp_path):
    rows = np.array([9, 3, 3, 50, 7])
    plain = image_batches(augment=None)
    with build_store(pictures(60), MadeImages(3, 8), "disk", folder=tmp_path) as store:
        for batches in (image_batches(augment=CHANGED), image_batches(store, augment=CHANGED)):
            seen = list(batches.sequential(rows, 2))
            assert [len(batch) for batch in seen] == [2, 2, 1]
            assert torch.cat([batch.index for batch in seen]).tolist() == rows.tolist()
            expected = plain.preparer.inputs(plain.store.fetch(rows))[0]
            assert torch.equal(torch.cat([batch.inputs[0] for batch in seen]), expected)


def test_the_example_batch_is_the_first_examples_unchanged():
    batch = image_batches(augment=CHANGED).example_batch(6)
    assert batch.index.tolist() == [4, 5, 6, 7, 8, 9]
    assert batch.total == 6
    assert same(batch, image_batches().example_batch(6))


def test_oversampling_shows_each_class_equally_often_and_changes_each_showing():
    codes = np.array([0] * 50 + [1] * 10)
    batches = image_batches(indices=np.arange(60), oversample=codes, augment=AugmentSpec(crop=4), batch_size=60)
    batch = next(iter(batches.epoch(0)))
    counts = np.bincount(codes[batch.index.numpy()])
    assert abs(counts[0] - counts[1]) <= 2
    showings = batch.inputs[0][batch.index == batch.index[(batch.index >= 50)][0]]
    assert len(showings) >= 2
    assert not torch.equal(showings[0], showings[1])


def test_draw_numbers_are_the_example_first_and_differ_after():
    assert draw_numbers(np.array([7, 3, 7, 7, 3])).tolist() == [7, 3, 7 + 2**40, 7 + 2**41, 3 + 2**40]


def test_mixing_gives_shares_of_classes_that_sum_to_one():
    for batch in image_batches(augment=CHANGED).epoch(0):
        assert batch.target.shape == (len(batch), 3)
        assert torch.allclose(batch.target.sum(1), torch.ones(len(batch)))


def test_changes_of_images_are_refused_for_rows():
    with pytest.raises(InputError) as error:
        row_batches(augment=AugmentSpec(flip=True))
    assert error.value.code == "LL030"
    assert list(row_batches(augment=AugmentSpec()).epoch(0))


def test_a_slice_of_a_gathered_block_is_as_aligned_as_a_batch_alone():
    for batch in row_batches(3000, batch_size=32).epoch(0):
        assert all(part.data_ptr() % 64 == 0 for part in (*batch.inputs, batch.target))


def test_the_thread_that_works_ahead_ends_with_its_use():
    def numbers():
        yield from range(10)

    stream = ahead(numbers())
    assert [next(stream), next(stream)] == [0, 1]
    stream.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("leadline-batches")]


def test_what_goes_wrong_ahead_is_raised_here_and_after_the_items_before():
    def numbers():
        yield 1
        raise InputError("LL029", "the second one is gone")

    stream = ahead(numbers())
    assert next(stream) == 1
    with pytest.raises(InputError, match="the second one is gone"):
        next(stream)


def test_the_shares_of_all_processes_cover_each_step():
    orders = [Order(np.arange(53), 10, 0, True, rank, 4) for rank in range(4)]
    for step in range(orders[0].steps):
        begin, end = orders[0].bounds(step)
        assert [row for order in orders for row in range(*order.share(step))] == list(range(begin, end))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_preview_shows_originals_above_their_changes(channels):
    store = build_store(pictures(20, channels=channels), MadeImages(channels, 8), "memory")
    given = {"indices": np.arange(20), "targets": torch.arange(20) % 3, "batch_size": 4, "seed": 0, "num_classes": 3}
    batches = Batches(store, MadeImages(channels, 8), augment=CHANGED, **given)
    sheet = preview(batches, 6)
    assert sheet.shape == (5 * 10, 6 * 10, 3)
    assert sheet.dtype == np.uint8
    first = store.fetch(np.array([0]))[0][0].permute(1, 2, 0).numpy()
    assert np.array_equal(sheet[:8, :8], np.broadcast_to(first, (8, 8, 3)))
