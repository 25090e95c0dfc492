"""Kill a training run again and again, resume it each time, and compare what comes out with the run that was never stopped.

    python benchmarks/kill_test.py --kills 30

Each kill is a SIGKILL: a third of them at the moment when a checkpoint is being written, the others anywhere between the start of the
process and its end. Compared, bit for bit: the final weights, the last checkpoint's tensors, and every line of metrics.jsonl but for its
times. Exits 1 on any difference.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LEADLINE = str(Path(sys.executable).with_name("leadline"))
SETTINGS = """
    model=mlp model.hidden=[512,512,512] epochs=40 batch_size=64 train.early_stop=null train.precision=fp32 train.channels_last=false
    train.matmul=highest train.threads=1 train.checkpoint_every_s=0.3 data.cache=memory evaluate.baselines=false
"""
SAME = ("model/model.safetensors", "checkpoints/last/tensors.safetensors", "checkpoints/best/tensors.safetensors")
TIMES = {"examples_per_s", "seconds", "time"}
WATCH_S = 0.0002
SAVE_S = 0.03  # a checkpoint of these seven megabytes takes some hundredths of a second


@dataclass(frozen=True)
class Kill:
    """One kill as it happened. aimed: at a save; remains: what the save left; step: the newest checkpoint that stood."""

    aimed: bool
    after_s: float
    remains: bool
    step: int


def main() -> int:
    """Run the comparison and print it; 0 when nothing differs."""
    options = _options()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="kill-test-") as name:
        folder = Path(options.keep or name)
        whole = folder / "whole"
        began = time.monotonic()
        started = _train(whole, options)
        ready_s = _seconds_until_first_row(started, whole, began)
        _finish(started, "the uninterrupted run")
        whole_s = time.monotonic() - began
        print(f"uninterrupted: {whole_s:.1f} s, {ready_s:.1f} s of it before the first step; {_newest_step(whole)} steps", flush=True)
        aims = _aims(options.kills, options.aimed, chance)
        runs = _kill_runs(folder, options, aims=aims, ready_s=ready_s, train_s=whole_s - ready_s, chance=chance)
        differences = [difference for run in runs for difference in _differences(whole, run)]
    print(f"{options.kills} kills, {options.aimed} of them aimed at a save, over {len(runs)} run(s): ", end="")
    print("\n".join(["DIFFERENT", *differences]) if differences else "all bitwise equal to the uninterrupted run")
    return 1 if differences else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--aimed", type=int, default=10, help="kills at the moment when a checkpoint is written")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--keep", help="an empty folder for the runs, to look at them afterwards")
    parser.add_argument("settings", nargs="*", help="key=value beside the test's own")
    return parser.parse_args()


def _train(run: Path, options: argparse.Namespace) -> subprocess.Popen[bytes]:
    return _start(["train", options.data, *SETTINGS.split(), *options.settings, "--device", "cpu", "--out", str(run)], run)


def _start(words: list[str], run: Path) -> subprocess.Popen[bytes]:
    run.parent.mkdir(parents=True, exist_ok=True)
    with run.with_name(f"{run.name}.out").open("ab") as output:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # other numbers of threads give other bits
        return subprocess.Popen([LEADLINE, *words], stdout=output, stderr=subprocess.STDOUT, env=environment)


def _finish(process: subprocess.Popen[bytes], what: str) -> None:
    if process.wait() != 0:
        raise SystemExit(f"{what} ended with exit code {process.returncode}: {process.args}")


def _seconds_until_first_row(process: subprocess.Popen[bytes], run: Path, began: float) -> float:
    metrics = run / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and metrics.stat().st_size):
        time.sleep(0.01)
    return time.monotonic() - began


def _aims(kills: int, aimed: int, chance: random.Random) -> list[bool]:
    aims = [number < aimed for number in range(kills)]
    chance.shuffle(aims)
    return aims


def _kill_runs(
    folder: Path, options: argparse.Namespace, *, aims: list[bool], ready_s: float, train_s: float, chance: random.Random
) -> list[Path]:
    """Runs that were killed until there were enough kills, each finished in the end; one that finishes too early is followed by another."""
    runs: list[Path] = []
    kills: list[Kill] = []
    print("kill  aimed at   after    half-written   newest checkpoint", flush=True)
    while not runs or len(kills) < len(aims):
        run = folder / f"killed-{len(runs) + 1}"
        runs.append(run)
        process = _train(run, options)
        while len(kills) < len(aims):
            aimed = aims[len(kills)]
            if aimed:
                kill = _kill_in_save(process, run, number=chance.randint(1, 6), wait_s=chance.uniform(0.0, SAVE_S))
            else:
                kill = _kill_after(process, run, wait_s=chance.uniform(ready_s / 4, ready_s + train_s / 4))
            if kill is None:
                break
            kills.append(kill)
            print(_line(len(kills), kill), flush=True)
            process = _start(["resume", str(run)], run) if (run / "run.json").exists() else _train(run, options)
        _finish(process, run.name)
    return runs


def _kill_after(process: subprocess.Popen[bytes], run: Path, *, wait_s: float) -> Kill | None:
    """Kill after so many seconds; None when the process finished before."""
    began = time.monotonic()
    while process.poll() is None and time.monotonic() - began < wait_s:
        time.sleep(WATCH_S)
    return _kill(process, run, aimed=False, began=began)


def _kill_in_save(process: subprocess.Popen[bytes], run: Path, *, number: int, wait_s: float) -> Kill | None:
    """Kill so many seconds after the process began its save of that number; None when it finished before."""
    began = time.monotonic()
    seen, saves = _names(run), 0
    while process.poll() is None and saves < number:
        time.sleep(WATCH_S)
        names = _names(run)
        saves += _is_saving(names - seen)
        seen = names
    time.sleep(wait_s)
    return _kill(process, run, aimed=True, began=began)


def _kill(process: subprocess.Popen[bytes], run: Path, *, aimed: bool, began: float) -> Kill | None:
    if process.poll() is not None:
        _finish(process, run.name)
        return None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return Kill(aimed, time.monotonic() - began, _is_saving(_names(run)), _newest_step(run))


def _names(run: Path) -> set[str]:
    folder = run / "checkpoints"
    return set(os.listdir(folder)) if folder.is_dir() else set()


def _is_saving(names: set[str]) -> bool:
    return any(name.startswith(".tmp-") for name in names)


def _newest_step(run: Path) -> int:
    return max((int(name.split("-")[1]) for name in _names(run) if name.startswith("step-")), default=0)


def _line(number: int, kill: Kill) -> str:
    aim = "a save" if kill.aimed else "anywhere"
    return f"{number:4d}  {aim:9s} {kill.after_s:6.2f} s   {'yes' if kill.remains else 'no':12s}   step {kill.step}"


def _differences(whole: Path, run: Path) -> list[str]:
    """What the killed run has that differs from the whole one, in words."""
    found = [f"{run.name}: {name} differs" for name in SAME if not _same(whole, run, name)]
    expected, rows = _rows(whole), _rows(run)
    if len(expected) != len(rows):
        found.append(f"{run.name}: metrics.jsonl has {len(rows)} lines, not {len(expected)}")
    pairs = enumerate(zip(expected, rows, strict=False), start=1)
    unequal = [number for number, (a, b) in pairs if a != b]
    if unequal:
        found.append(f"{run.name}: {len(unequal)} lines of metrics.jsonl differ, the first is line {unequal[0]}")
    return found


def _same(whole: Path, run: Path, name: str) -> bool:
    return len({hashlib.sha256((folder / name).read_bytes()).digest() for folder in (whole, run)}) == 1


def _rows(run: Path) -> list[dict[str, Any]]:
    lines = (run / "metrics.jsonl").read_bytes().splitlines()
    return [{key: value for key, value in json.loads(line).items() if key not in TIMES} for line in lines]


if __name__ == "__main__":
    sys.exit(main())
