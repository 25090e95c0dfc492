"""Programs as people on a forum write them, by authors who did not see the doctor: what it says of each, at which step, in how long.

    python benchmarks/doctor/run_strangers.py [FOLDER]

Each program begins with `# expect: CODE cause` or `# expect: healthy`, and where another code is as defensible `# also: CODE`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def run(program: Path) -> tuple[list[Any] | None, float]:
    """What the program printed of its findings (None: it failed), and the seconds that it took."""
    began = time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=False, env=environment)
    lines = [line.removeprefix("FINDINGS ") for line in done.stdout.splitlines() if line.startswith("FINDINGS ")]
    return ([row for line in lines for row in json.loads(line)] if lines else None), time.perf_counter() - began


def wanted(program: Path) -> tuple[str, ...]:
    """The code expected first, and those as defensible; ("healthy",) where nothing is to be said."""
    heads = [line for line in program.read_text(encoding="utf-8").splitlines()[:4] if line.startswith(("# expect:", "# also:"))]
    return tuple(line.split(":")[1].split()[0].strip(",") for line in heads)


def main() -> None:
    """One line a program, and the tally."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "strangers"
    tally = {"named first": 0, "sick": 0, "alarms": 0, "healthy": 0}
    for program in sorted(folder.glob("*.py"), key=lambda path: (wanted(path) == ("healthy",), path.name)):
        codes = wanted(program)
        found, seconds = run(program)
        said = [row for row in found or [] if row[2] != "note"]
        if codes == ("healthy",):
            tally["healthy"] += 1
            tally["alarms"] += bool(said)
            verdict = "ALARM" if said else "silent"
        else:
            tally["sick"] += 1
            right = bool(said) and said[0][0] in codes
            tally["named first"] += right
            verdict = "named" if right else "MISSED"
        words = "; ".join(f"{code} {cause} ({severity}, {sure}, step {step})" for code, cause, severity, sure, step in said)
        print(
            f"{verdict:<8}{codes[0]:<9}{program.stem:<24}{seconds:5.1f} s  {'the program failed' if found is None else words}", flush=True
        )
    print(
        f"{tally['named first']} of {tally['sick']} sick ones named first; alarms on {tally['alarms']} of {tally['healthy']} healthy ones"
    )


if __name__ == "__main__":
    main()
