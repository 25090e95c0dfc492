"""Times of rows as places on a regular clock: every so many seconds, on working days, or by the calendar's months."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DAY_S = 86_400.0
MONTH_S = 365.2425 / 12 * DAY_S
REGULAR = 0.5  # share of the steps between rows that must be alike for the rest to be gaps
LONGEST = 168  # steps: a season of more is longer than most windows


@dataclass(frozen=True)
class Clock:
    """places: (n,) int64 of sorted times on the clock, from 0; step_s: seconds of one step, on average; word: one step in words.

    off: (n,) bool, times that stand between two strokes of the clock (their place is the stroke before).
    """

    places: np.ndarray
    step_s: float
    word: str
    off: np.ndarray

    @property
    def season(self) -> int:
        """Steps after which values are likely to come again: a day within days, a week of days, a year of weeks, months or quarters."""
        if self.word == "working day":
            return 5
        for span in (DAY_S, 7 * DAY_S, 12 * MONTH_S):
            steps = span / self.step_s
            if steps > 1.5:
                return round(steps) if abs(steps - round(steps)) < 0.2 and steps <= LONGEST else 1
        return 1


def find_clock(times: np.ndarray) -> Clock | None:
    """The clock of sorted, distinct times (n,) datetime64[us]; None when the steps between them are not alike."""
    if len(times) < 3:
        return None
    return _by_months(times) or _by_working_days(times) or _by_seconds(times)


def _by_seconds(times: np.ndarray) -> Clock | None:
    micros = times.astype(np.int64)
    steps, counts = np.unique(np.diff(micros), return_counts=True)
    step = int(steps[counts.argmax()])
    if counts.max() < REGULAR * counts.sum():
        return None
    since = micros - micros[0]
    return Clock(since // step, step / 1e6, duration(step / 1e6), since % step != 0)


def _by_months(times: np.ndarray) -> Clock | None:
    """Months of unequal length: all times stand on one day of the month, or on the last."""
    days, months = times.astype("datetime64[D]"), times.astype("datetime64[M]")
    first = days == months.astype("datetime64[D]")
    last = days == (months + 1).astype("datetime64[D]") - 1
    same = (days - months.astype("datetime64[D]")) == (days[0] - months[0].astype("datetime64[D]"))
    if not (first.all() or last.all() or same.all()) or len(np.unique(months)) < len(times):
        return None
    numbers = months.astype(np.int64)
    steps, counts = np.unique(np.diff(numbers), return_counts=True)
    step, since = int(steps[counts.argmax()]), numbers - numbers[0]
    if counts.max() < REGULAR * counts.sum():
        return None
    word = {1: "month", 3: "quarter", 12: "year"}.get(step, f"{step} months")
    return Clock(since // step, step * MONTH_S, word, since % step != 0)


def _by_working_days(times: np.ndarray) -> Clock | None:
    """Days without weekends, as markets have them."""
    days = times.astype("datetime64[D]")
    if len(np.unique(days)) < len(days) or not np.is_busday(days).all() or len(times) < 10:
        return None
    places = np.busday_count(days[0], days)
    if (np.diff(places) == 1).mean() < REGULAR or not (np.diff(days).astype(int) > 1).any():
        return None
    return Clock(places.astype(np.int64), DAY_S * 7 / 5, "working day", np.zeros(len(times), bool))


def duration(seconds: float) -> str:
    """A length of time in the largest unit that it is a whole number of: "hour", "15 minutes", "2 days"."""
    for unit, size in (("week", 7 * DAY_S), ("day", DAY_S), ("hour", 3600.0), ("minute", 60.0)):
        if seconds % size == 0:
            return unit if seconds == size else f"{seconds / size:g} {unit}s"
    return "second" if seconds == 1 else f"{seconds:g} seconds"
