"""What was found, in lines for people: facts of data, preflight answers, findings, scores. Only words; nothing is computed here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from leadline.cli.screen import columns, cut, number
from leadline.record.facts import Column, Facts, Guess, Problem

COLUMNS_SHOWN = 40
CLASSES_SHOWN = 20
NAMES_SHOWN = 5
LONG_FRACTION = re.compile(r"-?\d+\.\d{6,}")
SIDES = ("train", "val", "test", "data")
SIGNS = {"yes": "green", "no": "red", "not examined": "yellow"}


def guess_lines(guess: Guess) -> list[str]:
    """The three lines: what was guessed, the evidence, how to say otherwise."""
    return [f"guess:     {guess.what}", f"evidence:  {guess.evidence}", f"override:  {guess.override}"]


NOUNS = {"images": "picture", "table": "row", "text": "text", "audio": "sound", "series": "window"}


def facts_lines(facts: Facts) -> list[str]:
    """What is there."""
    lines = [f"{facts.name}: {_counted(facts.num_examples, NOUNS[facts.kind])}{_parts(facts.given_split)}"]
    lines += _target(facts)
    if facts.images:
        sizes = facts.images
        width, height = ("–".join(str(value) for value in dict.fromkeys((side[0], side[2]))) for side in (sizes.width, sizes.height))
        modes = ", ".join(f"{mode} {count:,}" for mode, count in sizes.modes.items())
        lines.append(f"sizes: {width} × {height} pixels, median {sizes.width[1]} × {sizes.height[1]}; colour modes: {modes}")
    if facts.audio:
        short, middle, long = facts.audio.seconds
        rates = ", ".join(f"{rate:,} a second {count:,}" for rate, count in facts.audio.rates.items())
        lines.append(f"lengths: {short:.2f}–{long:.2f} s, median {middle:.2f}; samples: {rates}")
    if facts.series:
        lines.append(f"time: {facts.series.rows:,} steps from {facts.series.start} to {facts.series.end}")
        lines.append(f"windows: {facts.series.window:,} steps to look back on, {facts.series.horizon:,} to forecast")
    return lines + _table(facts.columns)


def problem_lines(problems: Iterable[Problem]) -> list[str]:
    """What is odd, suspect or left out; the word, the count, some of the names."""
    order = {"excluded": 0, "suspect": 1, "odd": 2}
    lines: list[str] = []
    for problem in sorted(problems, key=lambda problem: order[problem.severity]):
        lines.append(f"{problem.severity}: {problem.explanation}")
        shown = problem.items[:NAMES_SHOWN]
        if shown:
            between = "; " if any(": " in item or ", " in item for item in shown) else ", "
            more = [f"… {problem.count - len(shown):,} more"] if problem.count > len(shown) else []
            lines.append(f"  {between.join([*shown, *more])}")
    return lines


def other_guesses(guesses: Iterable[Guess]) -> list[str]:
    """What else was chosen by itself, with the evidence and how to say otherwise."""
    return [line for guess in guesses for line in (f"  {guess.what}: {guess.evidence}", f"    otherwise: {guess.override}")]


def check_verdict(checks: Mapping[str, Mapping[str, Any]]) -> str:
    """How the six were answered, in one line: "preflight: 5 yes, 0 no, 1 not examined"."""
    answers = [str(check["answer"]) for check in checks.values()]
    return "preflight: " + ", ".join(click.style(f"{answers.count(sign)} {sign}", fg=colour) for sign, colour in SIGNS.items())


def finding_lines(findings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Findings, worst first: what it is, what it rests on, and the control."""
    colour = {"error": "red", "warning": "yellow", "note": "cyan"}
    lines: list[str] = []
    for finding in findings:
        head = click.style(f"{finding['severity']}[{finding['code']}]", fg=colour[str(finding["severity"])], bold=True)
        lines.append(f"{head} {finding['cause']} ({finding['confidence']}): {finding['explanation']}")
        changes = " ".join(f"{key}={value}" for key, value in finding["control"]["set"].items())
        lines.append(f"  control: {finding['control']['text']}{f'   {changes}' if changes else ''}")
    return lines


def score_lines(scores: Mapping[str, Any]) -> list[str]:
    """Scores of each side with the intervals of the one that counts, and the baselines beside them."""
    sides = [side for side in SIDES if scores.get(side)]
    if not sides:
        return []
    headline = scores.get("headline", sides[-1])
    names = [name for name, value in scores[headline].items() if value is None or isinstance(value, int | float)]
    intervals = scores.get("intervals") or scores[headline].get("intervals") or {}
    baselines = scores.get("baselines") or {}
    rivals = [rival for rival in baselines if any(name in baselines[rival] for name in names)]
    rows = [("", *sides, f"95 % interval ({headline})" if intervals else "", *rivals)]
    for name in names:
        own = (_score(scores[side], name) for side in sides)
        rows.append((name, *own, _interval(intervals, name), *(_score(baselines[rival], name) for rival in rivals)))
    filled = [index for index in range(len(rows[0])) if index == 0 or rows[0][index]]
    return columns([row[index] for index in filled] for row in rows)


def _score(scores: Mapping[str, Any], name: str) -> str:
    value = scores.get(name)
    return "" if value is None else number(float(value)) if isinstance(value, int | float) else str(value)


def _interval(intervals: Mapping[str, Any], name: str) -> str:
    span = intervals.get(name)
    return f"{number(span[0])} – {number(span[1])}" if isinstance(span, list | tuple) and len(span) == 2 else ""


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _parts(given: Mapping[str, int]) -> str:
    return f" ({', '.join(f'{side} {count:,}' for side, count in given.items())})" if given else ""


def _target(facts: Facts) -> list[str]:
    if not facts.classes:
        return [f"target: {facts.target} (numbers)"] if facts.target_kind == "numbers" else []
    shown = [f"{name} {count:,}" for name, count in zip(facts.classes, facts.class_counts, strict=True)]
    more = f", … {len(shown) - CLASSES_SHOWN} more" if len(shown) > CLASSES_SHOWN else ""
    column = f" in {facts.target}" if facts.target else ""
    return [f"{_counted(len(facts.classes), 'class').replace('classs', 'classes')}{column}: {', '.join(shown[:CLASSES_SHOWN])}{more}"]


def _table(found: Sequence[Column]) -> list[str]:
    if not found:
        return []
    rows = [("column", "kind", "missing", "different", "example, and what is done with it")]
    for column in found[:COLUMNS_SHOWN]:
        note = column.reason if column.used or column.kind == "target" else f"not used: {column.reason}"
        rows.append(
            (column.name, column.kind, f"{column.missing:,}" if column.missing else "", f"{column.unique:,}", _example(column, note))
        )
    more = [f"  … {len(found) - COLUMNS_SHOWN} more columns (--format json shows all)"] if len(found) > COLUMNS_SHOWN else []
    return columns(rows) + more


def _example(column: Column, note: str) -> str:
    return "  ".join(part for part in (_shortened(column.example or ""), note) if part)


def _shortened(example: str) -> str:
    """The example on little room; of a long fraction the digits that tell numbers apart."""
    return f"{float(example):.4g}" if LONG_FRACTION.fullmatch(example) else cut(example, 30)
