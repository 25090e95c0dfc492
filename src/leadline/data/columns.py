"""What each column is (number, category, date, text, id, constant, empty), by rules whose evidence is written beside the answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from leadline.base.errors import InputError
from leadline.base.spec import nearest
from leadline.data import cells
from leadline.data.cells import pc
from leadline.data.settings import DataSpec
from leadline.data.tally import Tally
from leadline.record.facts import Column, ColumnKind

MOSTLY = 0.95  # share of cells that must fit for a column to be of a kind; the others are named, never dropped in silence
ID_WORDS = {"id", "ids", "uuid", "guid", "rowid", "index", "idx"}
FEW = 20  # fewer distinct values than this tell groups, not rows


@dataclass(frozen=True)
class Look:
    """The numbers that the rules ask for, of one column. unique_share: distinct values per row that holds one."""

    tally: Tally
    number_share: float
    unique_share: float
    words: float
    characters: float
    is_whole: bool
    is_code: bool
    decimal: str | None


def look_at(tally: Tally) -> Look:
    """Condense a tally; a decimal comma counts as a number where dots would not do."""
    present = max(1, tally.present)
    comma = tally.commas > 0 and tally.commas + tally.whole >= MOSTLY * present
    share = (tally.commas + tally.whole if comma else tally.numbers) / present
    words, characters = _lengths(tally)
    return Look(
        tally,
        share,
        tally.distinct / max(1, tally.covered),
        words,
        characters,
        is_whole=tally.whole == tally.present > 0,
        is_code=tally.codes > 0 and tally.whole >= MOSTLY * present,
        decimal="," if comma else None,
    )


def decide(tally: Tally, spec: DataSpec) -> Column:
    """The column as the program will read it. Raises InputError LL019 when one that the user asked for holds no value."""
    seen = look_at(tally)
    kind, used, reason, form = _given_by_user(seen, spec) or _by_rules(seen)
    if tally.name in spec.ignore:
        used, reason = False, "left out by data.ignore"
    elif tally.name in (spec.split.own, spec.split.by):
        used, reason = False, "makes the split, so it is no input"
    values = tally.values
    example = None if not len(values) else str(cells.labels(values[:1])[0].as_py())[:60]
    return Column(tally.name, kind, missing=tally.missing, unique=tally.distinct, example=example, used=used, reason=reason, format=form)


def check_names(columns: list[str], spec: DataSpec, *, where: str) -> None:
    """InputError LL017, with the nearest name, for a column that the settings name and the table lacks."""
    asked = {"data.ignore": spec.ignore, "data.categories": spec.categories, "data.keep": spec.keep}
    asked |= {f"data.split.{key}": (name,) for key in ("by", "time", "own") if (name := getattr(spec.split, key)) is not None}
    for key, names in asked.items():
        for name in names:
            if name not in columns:
                raise no_such_column(name, columns, key=key, where=where)


def no_such_column(name: object, columns: list[str], *, key: str, where: str) -> InputError:
    """The error for a column that is not there, with the nearest one that is."""
    close = nearest(str(name), columns)
    hint = f"did you mean  {key}={close}  ?" if close else f"columns: {', '.join(columns[:12])}"
    return InputError("LL017", f"there is no column '{name}' among {len(columns)}", where=f"{where}, {key}", help=hint)


Decision = tuple[ColumnKind, bool, str, str | None]


def _given_by_user(seen: Look, spec: DataSpec) -> Decision | None:
    name = seen.tally.name
    if name not in spec.categories and name not in spec.keep:
        return None
    key = "data.categories" if name in spec.categories else "data.keep"
    if not seen.tally.present:
        raise InputError("LL019", f"column '{name}' holds no value in any row", where=key, help=f"leave it out of {key}")
    if key == "data.categories" or (seen.tally.is_text and seen.number_share < MOSTLY):
        form = None if key == "data.categories" else date_format(seen.tally)
        are_numbers = seen.number_share >= MOSTLY and not seen.is_code
        plain = seen.decimal or "." if are_numbers else None
        return ("date", True, f"named in {key}", form) if form else ("category", True, f"named in {key}", plain)
    return ("date" if seen.tally.is_time else "number", True, f"named in {key}", seen.decimal)


def _by_rules(seen: Look) -> Decision:
    tally = seen.tally
    if not tally.present:
        return "empty", False, "no row holds a value", None
    if tally.distinct == 1 and not tally.missing:
        return "constant", False, "the same value in every row", None
    if tally.is_time:
        return "date", True, "times", None
    if seen.is_code:
        return _text(seen, "digits with leading zeros are codes, not amounts")
    if seen.number_share >= MOSTLY:
        why = _why_id(seen)
        return ("id", False, why, None) if why else ("number", True, "numbers", seen.decimal)
    form = date_format(tally)
    return ("date", True, f"dates, read as {form}", form) if form else _text(seen, "text with repeated values")


def _text(seen: Look, reason: str) -> Decision:
    """Text is a category, unless nearly each row has its own; then only whether it is given can be of use."""
    tally, n = seen.tally, seen.tally.present
    if n >= FEW and ((seen.words >= 4 and seen.unique_share > 0.1) or (seen.characters > 60 and tally.distinct > FEW)):
        return _given_or_not(seen, "free text, which this task does not read")
    if _named_id(tally.name) and n >= FEW and seen.unique_share > 0.2:
        return "id", False, f"its name says id, and {tally.distinct} values stand in {n} rows", None
    if n >= FEW and seen.unique_share >= 0.5 and tally.distinct > FEW:
        why = f"{tally.distinct} values in {n} rows: nearly each row has its own"
        return ("id", False, why, None) if not _tells_by_missing(tally) else _given_or_not(seen, why)
    return "category", True, reason, None


def _given_or_not(seen: Look, why: str) -> Decision:
    used = _tells_by_missing(seen.tally)
    return "text", used, why + ("; only whether it is given is used" if used else ""), None


def _tells_by_missing(tally: Tally) -> bool:
    return 0.02 <= tally.missing / tally.rows <= 0.98


def _named_id(name: str) -> bool:
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+", name)
    return any(word.lower() in ID_WORDS for word in words)


def _why_id(seen: Look) -> str | None:
    """Why whole numbers are names of rows and not amounts, or None."""
    tally = seen.tally
    if not seen.is_whole or tally.present < 10:
        return None
    if tally.steps >= MOSTLY * (tally.present - 1):
        return "each row is one more than the row before: it counts rows"
    if _named_id(tally.name) and seen.unique_share > 0.5:
        return f"its name says id, and {tally.distinct} values stand in {tally.covered} rows"
    if tally.present >= 50 and seen.unique_share >= 0.9 and _shares_leading_digits(tally):
        return f"{tally.distinct} values in {tally.covered} rows, all beginning with the same digits: numbers given out, not measured"
    return None


def _shares_leading_digits(tally: Tally) -> bool:
    """Whether all values of equal length differ only behind their leading digits, as numbers handed out in order do and amounts do not."""
    values = np.abs(cells.numbers(tally.values).to_numpy(zero_copy_only=False))
    values = values[values >= 10_000]  # shorter ones could be years or small amounts
    if len(values) < 0.95 * tally.distinct:
        return False
    lengths = np.floor(np.log10(values))
    groups = [values[lengths == length] for length in np.unique(lengths)]
    return all(group.std() < 0.05 * group.mean() for group in groups)


def _lengths(tally: Tally) -> tuple[float, float]:
    """(words, characters) of a cell on average."""
    values = tally.values
    if not len(values) or not pa.types.is_string(values.type):
        return 1.0, 0.0
    weights = tally.weights
    words = pc.add(pc.count_substring(values, " "), 1).to_numpy(zero_copy_only=False)
    characters = pc.utf8_length(values).to_numpy(zero_copy_only=False)
    return float(np.average(words, weights=weights)), float(np.average(characters, weights=weights))


def date_format(tally: Tally) -> str | None:
    """The one format in which nearly all cells are dates; "ISO8601", or a strptime format. Month before day when both would do."""
    values, weights = tally.values, tally.weights
    if not len(values) or not pa.types.is_string(values.type):
        return None
    best: tuple[float, str | None] = (MOSTLY, None)
    for form, pattern in cells.DATE_FORMATS.items():
        if weights[pc.match_substring_regex(values, pattern).to_numpy(zero_copy_only=False)].sum() < MOSTLY * weights.sum():
            continue
        parsed = pd.notna(cells.dates(values, form).to_pandas()).to_numpy()
        share = float(weights[parsed].sum() / weights.sum())
        if share > best[0] or (share >= best[0] and best[1] is None):
            best = (share, form)
    return best[1]
