"""Claim: opening, preparing and reading a table takes bounded memory while the table grows.

Makes tables of 1, 4 and 16 times a size, each read through a temporary file in a process of its own, and prints the peak of its resident
memory. What grows by design is a few bytes a row: targets and content hashes are arrays with one entry a row.

    python benchmarks/memory_bound.py [--rows 100000]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

NUMBERS, CATEGORIES = 12, 3
BLOCK = 50_000


def make(path: Path, rows: int) -> None:
    """A CSV of numbers, categories and a number to predict."""
    names = [f"number_{i}" for i in range(NUMBERS)] + [f"category_{i}" for i in range(CATEGORIES)] + ["price"]
    with path.open("w") as out:
        out.write(",".join(names) + "\n")
        for start in range(0, rows, BLOCK):
            rng = np.random.default_rng(start)
            for _ in range(min(BLOCK, rows - start)):
                numbers = rng.standard_normal(NUMBERS)
                cells = [f"{value:.6f}" for value in numbers] + [f"group {code}" for code in rng.integers(0, 20, CATEGORIES)]
                out.write(",".join(cells) + f",{numbers.sum():.6f}\n")


def read(path: Path, stream: bool) -> dict[str, float]:
    """Open, fit and prepare every row once; the peak of resident memory in MB before and after."""
    from leadline.data.preparers.rows import RowsPreparer
    from leadline.data.settings import DataSpec
    from leadline.data.table import open_table

    before = peak_mb()
    started = time.perf_counter()
    spec = DataSpec()
    examples = open_table(path, spec, stream_above=0 if stream else 1 << 60)
    preparer = RowsPreparer.fit(examples, np.arange(len(examples)), spec)
    total = 0.0
    for start in range(0, len(examples), 4096):
        numbers, _ = preparer.store(examples.fetch(np.arange(start, min(start + 4096, len(examples)))))
        total += float(numbers.sum())
    anywhere = np.random.default_rng(0)
    for _ in range(100):
        preparer.store(examples.fetch(anywhere.integers(0, len(examples), 256)))
    return {"rows": len(examples), "imports_mb": before, "peak_mb": peak_mb(), "seconds": time.perf_counter() - started}


def peak_mb() -> float:
    """The most memory this process has had resident, MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--read", type=Path)
    parser.add_argument("--memory", action="store_true", help="with --read: keep all rows in memory, for comparison")
    options = parser.parse_args()
    if options.read:
        print(json.dumps(read(options.read, not options.memory)))
        return
    with tempfile.TemporaryDirectory() as folder:
        for factor in (1, 4, 16):
            path = Path(folder) / "table.csv"
            make(path, options.rows * factor)
            for extra in ([], ["--memory"]):
                command = [sys.executable, __file__, "--read", str(path), *extra]
                found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                way = "in memory" if extra else "streamed "
                print(
                    f"{factor:>2}x {way} {found['rows']:>9,} rows, file {path.stat().st_size / 1e6:>6.0f} MB: "
                    f"peak {found['peak_mb']:>6.0f} MB of which imports {found['imports_mb']:.0f} MB, {found['seconds']:.1f} s",
                    flush=True,
                )


if __name__ == "__main__":
    main()
