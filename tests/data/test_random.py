"""The chance of examples: a function of its arguments, and good chance."""

from __future__ import annotations

import numpy as np
import pytest

from leadline.data.random import GAMMA, _mix, generator, permutation, uniforms, weighted


def test_a_row_depends_on_seed_epoch_and_index_and_not_on_its_neighbours():
    together = uniforms(3, 5, np.arange(100), 8)
    alone = uniforms(3, 5, np.array([42]), 8)
    assert np.array_equal(together[42:43], alone)
    assert np.array_equal(together[::-1], uniforms(3, 5, np.arange(100)[::-1], 8))


def test_more_draws_keep_the_earlier_ones():
    assert np.array_equal(uniforms(0, 0, np.arange(9), 20)[:, :4], uniforms(0, 0, np.arange(9), 4))


def test_the_hash_is_splitmix64():
    states = (np.uint64(1234567) + np.arange(1, 6, dtype=np.uint64) * np.uint64(GAMMA)).astype(np.uint64)
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]
    assert _mix(states).tolist() == published


def test_the_numbers_stay_the_same_in_all_versions():
    assert uniforms(1, 2, np.array([3]), 2).tolist() == [[0.8847056685142309, 0.6845736815765097]]


@pytest.mark.parametrize("change", [{"seed": 1}, {"epoch": 1}, {"purpose": "split"}])
def test_seed_epoch_and_purpose_give_unrelated_numbers(change):
    given = {"seed": 0, "epoch": 0, "purpose": "augment", **change}
    first = uniforms(0, 0, np.arange(5000), 4)
    second = uniforms(given["seed"], given["epoch"], np.arange(5000), 4, purpose=given["purpose"])
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.03


def test_the_numbers_are_even_in_each_draw_and_between_draws():
    numbers = uniforms(0, 0, np.arange(50_000), 6)
    counts = np.stack([np.histogram(column, bins=100, range=(0, 1))[0] for column in numbers.T])
    chi_square = ((counts - 500) ** 2 / 500).sum(1)
    assert (chi_square < 160).all()  # 99 degrees of freedom: above 160 once in 10,000
    assert np.abs(np.corrcoef(numbers.T) - np.eye(6)).max() < 0.025
    assert numbers.min() >= 0
    assert numbers.max() < 1


def test_neighbouring_indices_and_epochs_are_not_alike():
    grid = np.stack([uniforms(0, epoch, np.arange(200), 1)[:, 0] for epoch in range(200)])
    assert abs(np.corrcoef(grid[:, 1:].ravel(), grid[:, :-1].ravel())[0, 1]) < 0.03
    assert abs(np.corrcoef(grid[1:].ravel(), grid[:-1].ravel())[0, 1]) < 0.03
    assert len(np.unique(grid)) == grid.size


def test_each_bit_of_the_index_flips_half_of_the_result():
    base = uniforms(0, 0, np.arange(2000), 1)[:, 0] < 0.5
    for bit in range(0, 40, 3):
        flipped = uniforms(0, 0, np.arange(2000) ^ (1 << bit), 1)[:, 0] < 0.5
        assert 0.44 < (base != flipped).mean() < 0.56


def test_a_permutation_holds_every_number_once_and_changes_with_seed_and_epoch():
    assert np.array_equal(np.sort(permutation(1000, 0, 0)), np.arange(1000))
    assert np.array_equal(permutation(1000, 0, 0), permutation(1000, 0, 0))
    assert not np.array_equal(permutation(1000, 0, 0), permutation(1000, 0, 1))
    assert not np.array_equal(permutation(1000, 0, 0), permutation(1000, 1, 0))


def test_generators_of_two_steps_differ():
    assert generator(0, 0, purpose="mix", step=1).random() != generator(0, 0, purpose="mix", step=2).random()


def test_weighted_draws_come_as_often_as_their_chances_say():
    chances = np.repeat([1 / 900, 1 / 100], [900, 100]) / 2
    drawn = weighted(chances, 1000, seed=0, epoch=0)
    counts = np.bincount(drawn, minlength=1000)
    assert set(counts[:900].tolist()) == {0, 1}
    assert set(counts[900:].tolist()) == {5}
    assert not np.array_equal(drawn, weighted(chances, 1000, seed=0, epoch=1))
    assert np.array_equal(drawn, weighted(chances, 1000, seed=0, epoch=0))
