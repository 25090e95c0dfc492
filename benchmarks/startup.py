"""How long leadline takes to answer what needs no model, beside what other libraries take to be imported.

    python benchmarks/startup.py [--repeats 7]

Each command runs in a fresh process; the median counts. Peers that are not installed are left out and named.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

COMMANDS = {
    "leadline --help": ["-m", "leadline", "--help"],
    "leadline list models": ["-m", "leadline", "list", "models"],
    "leadline rule LL017": ["-m", "leadline", "rule", "LL017"],
    "leadline schema": ["-m", "leadline", "schema"],
    "leadline train data.csv epoch=3": ["-m", "leadline", "train", "data.csv", "epoch=3"],
    "import leadline": ["-c", "import leadline"],
}
PEERS = {"torch": "torch", "lightning": "lightning", "transformers": "transformers.trainer", "keras": "keras", "timm": "timm"}


def seconds(words: Sequence[str], *, repeats: int) -> float:
    """Median wall-clock seconds of `python WORDS` in a fresh process, after one that warms the disk."""
    times: list[float] = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def main() -> None:
    """Measure and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    print(f"python alone: {seconds(['-c', 'pass'], repeats=repeats):.3f} s")
    for name, words in COMMANDS.items():
        print(f"{name:<34}{seconds(words, repeats=repeats):.3f} s")
    for name, path in PEERS.items():
        if importlib.util.find_spec(name) is None:
            print(f"import {path:<27}not installed, not measured")
        else:
            print(f"import {path:<27}{seconds(['-c', f'import {path}'], repeats=3):.3f} s")


if __name__ == "__main__":
    main()
