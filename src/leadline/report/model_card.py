"""The model card: README.md in the run folder, in Hugging Face's form, with numbers only from the run's own files."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

from leadline.record.files import write_atomic
from leadline.record.finding import QUESTIONS
from leadline.report.folder import RunFolder, mapping, read_run
from leadline.report.sections import answer, data, settings
from leadline.report.words import NOT_MEASURED, SIDES, duration, is_number, main_metric, number, plain, score_name

# Hugging Face's names of what a model is for.
PIPELINES = {
    "classify_images": "image-classification",
    "classify_table": "tabular-classification",
    "regress_table": "tabular-regression",
}
MARKS = re.compile(r"([\\`*_{}\[\]<>|#~$])")


def write_card(folder: Path | str) -> Path:
    """Write <folder>/README.md and return its path. Raises InputError LL011 when the folder holds no run at all."""
    run = read_run(folder)
    path = run.folder / "README.md"
    write_atomic(path, card(run).encode("utf-8"))
    return path


def card(run: RunFolder) -> str:
    """The card as Markdown with YAML front matter; what nobody measured is said to be not measured."""
    parts = [_what(run), _results(run), _use(run), _data(run), _training(run), _checks(run), _limits(run), _again(run)]
    return f"---\n{_front(run)}---\n\n" + "\n\n".join(parts) + "\n"


def safe(text: Any) -> str:
    """A name as Markdown shows it: marks are escaped, line breaks are spaces."""
    return MARKS.sub(r"\\\1", " ".join(str(text).split()))


def _task(run: RunFolder) -> str | None:
    found = run.run.get("task") or run.recipe.get("task")
    return str(found) if found else None


def _front(run: RunFolder) -> str:
    from ruamel.yaml import YAML

    pipeline = PIPELINES.get(_task(run) or "")
    scores = mapping(run.scores.get(run.headline or ""))
    metrics = [name for name, value in scores.items() if name != "loss" and is_number(value)]
    fields: dict[str, Any] = {"library_name": "leadline", "tags": ["leadline", "pytorch", *([_task(run)] if _task(run) else [])]}
    if pipeline:
        fields["pipeline_tag"] = pipeline
    if metrics:
        fields["metrics"] = metrics
        result = {
            "task": {"type": pipeline or "other"},
            "dataset": {"name": str(run.data.get("name") or "unnamed"), "type": "local", "split": run.headline},
            "metrics": [{"type": name, "value": round(float(scores[name]), 6), "name": score_name(name)} for name in metrics],
        }
        fields["model-index"] = [{"name": run.name, "results": [result]}]
    page = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(fields, page)
    return page.getvalue()


def _what(run: RunFolder) -> str:
    seen = answer.view(run)
    model = mapping(run.recipe.get("model")).get("name")
    totals = mapping(run.facts.get("layers")).get("parameters")
    size = f", {totals:,} parameters" if isinstance(totals, int) else ""
    network = f"network `{model}`{size}" if model else f"network {NOT_MEASURED}"
    purpose = f"A neural network for {safe(seen['task'])} ({network})."
    return f"# {safe(seen['title'])}\n\n{purpose} Trained with leadline; run `{run.name}`: {seen['status'][1]}."


def _results(run: RunFolder) -> str:
    side = run.headline
    if side is None:
        return f"## Results\n\nScores: {NOT_MEASURED} ({run.why('scores.json')})."
    scores, pairs = mapping(run.scores.get(side)), mapping(run.scores.get("intervals"))
    baselines = {name: mapping(part) for name, part in mapping(run.scores.get("baselines")).items()}
    heads = ["score", "this network", "95 % interval", *baselines]
    lines = [f"| {' | '.join(heads)} |", "| --- " + "| ---: " * (len(heads) - 1) + "|"]
    for name, value in scores.items():
        pair = pairs.get(name)
        interval = f"{number(pair[0])} to {number(pair[1])}" if isinstance(pair, list) and len(pair) == 2 else NOT_MEASURED
        rivals = [number(part[name]) if is_number(part.get(name)) else NOT_MEASURED for part in baselines.values()]
        lines.append(f"| {' | '.join([safe(score_name(name)), number(value), interval, *rivals])} |")
    verdict = run.scores.get("verdict")
    said = safe(f"{str(verdict)[:1].upper()}{str(verdict)[1:]}") if verdict else f"Beside simpler means: {NOT_MEASURED}."
    head = f"On the {SIDES.get(side, side)} examples ({_count(run, side)})."
    return "\n".join(["## Results", "", head, "", *lines, "", said])


def _count(run: RunFolder, side: str) -> str:
    found = mapping(mapping(run.facts.get("split")).get("counts")).get(side) or len(run.predictions.get(side, {}).get("index", []))
    return f"{found:,}" if found else f"number {NOT_MEASURED}"


def _use(run: RunFolder) -> str:
    metric = main_metric(run.scores)
    judged = f"It was judged by {safe(score_name(metric))}; " if metric else ""
    return "\n".join(
        [
            "## Use",
            "",
            "```",
            f"leadline predict {run.place} INPUT",
            "```",
            "",
            f"{judged}inputs that differ from the training data in origin, equipment or time were {NOT_MEASURED}.",
        ]
    )


def _data(run: RunFolder) -> str:
    seen = data.view(run)
    if seen["why"]:
        return f"## Training data\n\n{NOT_MEASURED.capitalize()} ({seen['why']})."
    lines = ["## Training data", "", f"{safe(run.data.get('name', ''))}: {safe(seen['summary'])}."]
    if seen["split"]:
        lines += ["", "| split | examples | SHA-256 of contents |", "| --- | ---: | --- |"]
        lines += [f"| {row['side']} | {row['count']} | `{row['hash'] or NOT_MEASURED}` |" for row in seen["split"]["rows"]]
    lines += [""] + [f"- {row['severity']}: {row['count']} × {safe(row['kind'])}. {safe(row['explanation'])}" for row in seen["problems"]]
    return "\n".join(lines).rstrip()


def _training(run: RunFolder) -> str:
    train = mapping(run.recipe.get("train"))
    rows = [(key, train.get(key)) for key in ("epochs", "batch_size", "precision", "seed")]
    rows += [(f"optimizer {key}", mapping(train.get("optimizer")).get(key)) for key in ("name", "lr", "weight_decay")]
    rows += [("schedule", mapping(train.get("schedule")).get("name")), ("weights kept of step", run.scores.get("best_step"))]
    energy = run.run.get("energy_wh")
    lines = [f"- {key.replace('_', ' ')}: {safe(plain(value)) if value is not None else NOT_MEASURED}" for key, value in rows]
    lines += [f"- time: {duration(run.run.get('seconds'))} on {safe(run.run.get('device') or 'a device not named')}"]
    lines += [f"- energy: {number(energy)} Wh" if is_number(energy) else f"- energy: {NOT_MEASURED}"]
    return "\n".join(["## Training", "", *lines])


def _checks(run: RunFolder) -> str:
    answers = [(question, mapping(run.checks.get(question)).get("answer", "not examined")) for question in QUESTIONS]
    lines = [f"- {question}: {said}" for question, said in answers]
    if run.findings is None:
        lines.append(f"- findings: {NOT_MEASURED}")
    lines += [
        f"- finding {safe(entry.get('code', ''))} ({safe(entry.get('severity', ''))}): {safe(entry.get('explanation', ''))}"
        for entry in run.findings or []
    ]
    return "\n".join(["## Checks", "", *lines])


def _limits(run: RunFolder) -> str:
    groups = data.groups(run)
    lines = ["## Limits", ""]
    lines.append(f"- differences between groups: {'see report.html, by ' + safe(groups['by']) if groups else NOT_MEASURED}")
    lines += [f"- {topic}: {NOT_MEASURED}" for topic in ("answers on inputs unlike the training data", "robustness to disturbed inputs")]
    lines += ["- licence of the data and of this model: not stated"]
    return "\n".join(lines)


def _again(run: RunFolder) -> str:
    command = settings.environment(run)["again"] or NOT_MEASURED
    versions = ", ".join(f"{key} {plain(value)}" for key, value in mapping(run.run.get("versions")).items()) or NOT_MEASURED
    return f"## Do it again\n\n```\n{command}\n```\n\nVersions: {safe(versions)}. The whole story with pictures: `report.html`."
