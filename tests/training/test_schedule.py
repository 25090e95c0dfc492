"""Learning rates are drawn before the first step."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.base.errors import InputError
from leadline.training.schedule import Plateau, plan
from leadline.training.settings import ScheduleSpec

NAMES = ("constant", "step", "cosine", "plateau", "one_cycle", "wsd")


def rates(steps: int = 100, steps_per_epoch: int = 10, **settings: object) -> np.ndarray:
    return plan(ScheduleSpec.read(settings, "test"), steps=steps, steps_per_epoch=steps_per_epoch, peak=0.1)


@given(st.sampled_from(NAMES), st.floats(0, 0.99), st.integers(1, 300), st.floats(0, 1))
def test_every_schedule_has_one_rate_a_step_between_nothing_and_the_peak(name: str, warmup: float, steps: int, floor: float) -> None:
    drawn = rates(steps, name=name, warmup=warmup, floor=floor)
    assert drawn.shape == (steps,)
    assert (drawn > 0).all()
    assert (drawn <= 0.1 * (1 + 1e-12)).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_warm_up_rises_and_the_step_after_it_stands_at_the_peak(name: str) -> None:
    drawn = rates(name=name, warmup=0.2)
    assert all(before < after for before, after in itertools.pairwise(drawn[:21]))
    assert drawn[20] == pytest.approx(0.1)


def test_a_warm_up_of_one_and_more_is_a_number_of_steps() -> None:
    assert np.array_equal(rates(name="constant", warmup=10), rates(name="constant", warmup=0.1))


def test_without_warm_up_the_first_step_has_the_peak() -> None:
    assert rates(name="cosine", warmup=0)[0] == 0.1


def test_cosine_is_half_way_down_in_the_middle_and_nears_the_floor() -> None:
    drawn = rates(steps=1000, name="cosine", warmup=0, floor=0.1)
    assert drawn[500] == pytest.approx(0.1 * 0.55)
    assert drawn[-1] == pytest.approx(0.01, rel=1e-3)


def test_step_drops_by_gamma_every_so_many_epochs() -> None:
    drawn = rates(name="step", warmup=0, every=3, gamma=0.5)
    assert drawn[29] == 0.1
    assert drawn[30] == pytest.approx(0.05)
    assert drawn[60] == pytest.approx(0.025)


def test_wsd_is_stable_until_its_decay_begins() -> None:
    drawn = rates(name="wsd", warmup=0.1, decay=0.2)
    assert (drawn[10:81] == 0.1).all()
    assert drawn[81] < 0.1
    assert drawn[-1] == pytest.approx(0.1 * (1 - np.sqrt(19 / 20)))


def test_a_warm_up_as_long_as_the_run_is_refused_with_both_numbers() -> None:
    with pytest.raises(InputError, match=r"500.*100 steps") as caught:
        rates(name="cosine", warmup=500)
    assert caught.value.code == "LL022"


def test_plateau_drops_after_its_patience_and_counts_anew() -> None:
    plateau = Plateau(ScheduleSpec(name="plateau", patience=2, gamma=0.5), direction="max")
    drops = [plateau.see(score) for score in (0.5, 0.6, 0.6, 0.6, 0.59, 0.5, 0.5, 0.7)]
    assert drops == [False, False, False, False, True, False, False, False]
    assert plateau.factor == 0.5


def test_plateau_goes_on_from_its_state() -> None:
    first, second = (Plateau(ScheduleSpec(name="plateau", patience=1), direction="min") for _ in range(2))
    first.see(1.0)
    first.see(2.0)
    second.load(first.state())
    assert first.see(3.0)
    assert second.see(3.0)


def test_a_score_that_is_not_a_number_is_never_better() -> None:
    plateau = Plateau(ScheduleSpec(name="plateau", patience=1), direction="max")
    assert [plateau.see(score) for score in (0.5, float("nan"), float("nan"))] == [False, False, True]


def test_other_schedules_never_drop_on_plateaus() -> None:
    plateau = Plateau(ScheduleSpec(name="cosine", patience=1), direction="max")
    assert not any(plateau.see(0.0) for _ in range(9))
    assert plateau.factor == 1.0
