"""One examination: every rule that can, over one body of evidence; then roots before symptoms, worst first."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace

from leadline.base.find import module, names
from leadline.doctor.evidence import Evidence, NotExamined, Scene
from leadline.doctor.rule import RANK, Rule
from leadline.record.finding import ORDER, Finding

SHOWN = 3  # findings printed: a list of ten is read by nobody


@dataclass
class Examined:
    """What one examination brought. silent: code of each rule that could not be asked, and why. broken: rules that failed themselves."""

    findings: list[Finding] = field(default_factory=list[Finding])
    silent: dict[str, str] = field(default_factory=dict[str, str])
    broken: dict[str, str] = field(default_factory=dict[str, str])


@functools.cache
def rules() -> tuple[Rule, ...]:
    """Every rule on the shelf, by code."""
    found: list[Rule] = []
    for name in names("doctor.rules"):
        part = module(f"leadline.doctor.rules.{name}")
        found += [kind() for kind in vars(part).values() if _is_rule(kind, part.__name__)]
    return tuple(sorted(found, key=lambda rule: rule.code))


def _is_rule(kind: object, module: str) -> bool:
    return isinstance(kind, type) and issubclass(kind, Rule) and kind.__module__ == module


def examine(scene: Scene, *, known: set[str] = frozenset()) -> Examined:  # type: ignore[assignment]
    """Ask every rule whose time has come. known: codes found before, which are not asked again."""
    evidence = Evidence(scene)
    result = Examined()
    for rule in rules():
        if rule.code in known or not _is_time(rule, scene):
            continue
        try:
            finding = rule.examine(evidence)
        except NotExamined as reason:
            result.silent[rule.code] = str(reason)
        except Exception as error:  # noqa: BLE001 - one broken rule must not silence the others, nor the training
            result.broken[rule.code] = f"{type(error).__name__}: {error}"
        else:
            result.findings += [finding] if finding is not None else []
    return result


def _is_time(rule: Rule, scene: Scene) -> bool:
    if rule.only not in ("both", scene.door) or (rule.at == "end" and not scene.ended):
        return False
    return len(scene.heard.steps) >= rule.after or scene.ended


def ranked(findings: list[Finding]) -> list[Finding]:
    """Worst first; what another finding explains is folded under that one, in its evidence as "also"."""
    by_code = {rule.code: rule for rule in rules()}
    ordered = sorted(findings, key=lambda f: _order(f, by_code[f.code]))
    kept: dict[str, Finding] = {}
    folded: dict[str, list[str]] = {}
    for finding in ordered:
        roots = [f.code for f in ordered if f.code in by_code[finding.code].explained_by and f.severity != "note" and f.code not in folded]
        mutual = roots and finding.code in by_code[roots[0]].explained_by and roots[0] not in kept
        if roots and not mutual:
            folded[finding.code] = roots
        else:
            kept[finding.code] = finding
    for code, roots in folded.items():
        root = kept.get(roots[0])
        if root is not None:
            also = [*root.evidence.get("also", []), f"{code} {by_code[code].cause}"]
            kept[root.code] = replace(root, evidence={**root.evidence, "also": also})
    return list(kept.values())


def _order(finding: Finding, rule: Rule) -> tuple[float, ...]:
    gain = float((finding.probe or {}).get("gain", 0.0))
    step = finding.step if finding.step is not None else -1
    return (ORDER[finding.severity], float(finding.confidence != "confirmed"), RANK[rule.kind], -gain, step)
