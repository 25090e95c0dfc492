"""Runs the zoo: `accept` judges harm and health without the doctor, `run` puts the accepted programs before it, `--gate` a small part.

    OMP_NUM_THREADS=1 python benchmarks/doctor/run_zoo.py accept
    OMP_NUM_THREADS=1 python benchmarks/doctor/run_zoo.py run [--half tuned] [--only T01] [--workers 2]
    OMP_NUM_THREADS=1 python benchmarks/doctor/run_zoo.py run --gate
    python benchmarks/doctor/table.py

Both go on where they were stopped: every verdict is one line of results/accepted.jsonl, every run one line of results/runs.jsonl. Programs
are run in worker processes, which are ended and replaced when a program takes too long or takes its process down. Public data sets are used
where the environment variable LEADLINE_ZOO_DATA names a folder that holds them; everything else is made or bundled.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from zoo.accept import fault_names, harmful, healthy, load, measure  # noqa: E402 the zoo lies beside this file

RESULTS = HERE / "results"
LIMIT_S = 120.0  # a program takes a few seconds: more is a hang
GATE_HEALTHY = 40  # healthy programs in the gate, evenly from the list


def lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON-lines file; none where there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


class Worker:
    """A process that turns job names into rows, one at a time; replaced when it hangs or dies."""

    def __init__(self, kind: str, seed: int) -> None:
        self.kind, self.seed = kind, seed
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> subprocess.Popen[str]:
        """A fresh process, with one thread."""
        quiet = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        command = [sys.executable, str(Path(__file__).resolve()), "worker", self.kind, "--seed", str(self.seed)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, env=quiet)

    def ask(self, name: str, limit_s: float) -> list[dict[str, Any]] | str:
        """The job's rows, or what went wrong with the process."""
        if self.process is None or self.process.poll() is not None:
            self.process = self.start()
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        timer = threading.Timer(limit_s, process.kill)
        timer.start()
        try:
            process.stdin.write(name + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        finally:
            timer.cancel()
        if answer:
            return json.loads(answer)
        self.process = None
        return f"the process ended ({process.wait()}), or ran past {limit_s:.0f} s"

    def close(self) -> None:
        """End the process."""
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
            self.process.wait()


def work(kind: str, seed: int) -> None:
    """The worker's side: names come in a line each, lists of rows go out."""
    import torch
    from zoo.faults.measure import Book as Harm
    from zoo.judge import Book

    torch.set_num_threads(1)
    rows, sys.stdout = sys.stdout, sys.stderr  # what programs or the doctor print is not a row
    book, harm, faults = Book(), Harm(), fault_names()
    for line in sys.stdin:
        name = line.rstrip("\n")
        if kind == "run":
            found = [book.row(name, seed)]
        elif name in faults:
            found = [{"name": place, "accepted": good} for place, good in measure(harm, faults[name])]
        else:
            found = [asdict(healthy(book.find(name), seed))]
        rows.write(json.dumps(found) + "\n")
        rows.flush()


def spread(kind: str, names: Iterable[str], out: Path, args: argparse.Namespace, limit_s: float) -> None:
    """Give the names to the workers; every answer is added to the file at once. A job that broke its process is one row with `broken`."""
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    for name in names:
        jobs.put(name)
    total, lock = jobs.qsize(), threading.Lock()
    out.parent.mkdir(exist_ok=True)

    def serve() -> None:
        worker = Worker(kind, args.seed)
        while True:
            try:
                name = jobs.get_nowait()
            except queue.Empty:
                break
            answer = worker.ask(name, limit_s)
            rows = [{"name": name, "broken": answer}] if isinstance(answer, str) else answer
            with lock, out.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps({"job": name, **row}) + "\n" for row in rows)
                print(f"{total - jobs.qsize()}/{total} {name} {said(rows)}", file=sys.stderr, flush=True)
        worker.close()

    threads = [threading.Thread(target=serve) for _ in range(args.workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def said(rows: list[dict[str, Any]]) -> str:
    """A few words on a job's rows, for the screen."""
    words = []
    for row in rows:
        if "broken" in row:
            words.append(row["broken"])
        elif "watch" in row:
            words.append(" | ".join(" ".join(f["code"] for f in row[door]["findings"]) or "-" for door in ("check", "watch")))
        else:
            words.append(f"{'yes' if row['accepted'] else 'no'} {row.get('why', row['name'])}")
    return " ; ".join(words)


def asked(name: str, words: str) -> bool:
    """Whether a name holds one of the words; all do where none is given."""
    return any(word in name for word in words.split(","))


def judge_all(args: argparse.Namespace) -> None:
    """The harm test, for all that has no verdict yet; faults' numbers are kept by zoo.faults.measure."""
    from zoo.healthy import programs

    out = RESULTS / "accepted.jsonl"
    done = {row["job"] for row in lines(out)}
    names = {"healthy": [one.name for one in programs()], "faults": list(fault_names())}
    names["both"] = names["healthy"] + names["faults"]
    spread("accept", [name for name in names[args.part] if name not in done and asked(name, args.only)], out, args, LIMIT_S * 5)


def accepted(book: Any) -> dict[str, float]:
    """The programs that passed the harm test and can be built here, with their seconds."""
    from zoo.families import data_sets
    from zoo.faults.measure import Book as Harm

    calm = load(RESULTS / "accepted.jsonl")
    found = {name: verdict.seconds for name, verdict in calm.items() if verdict.accepted and name in book.healthy}
    harm = Harm()
    for name in harmful(harm):
        fault, family, data = name.split("/")
        if data in data_sets(family):
            found[name] = harm.lines[(fault, family, data, 0)]["seconds"]
    return found


def gate(book: Any, seconds: dict[str, float]) -> list[str]:
    """A small part: the quickest accepted place of every fault code, and healthy programs evenly from the list; no local data."""
    from zoo.families import FAMILIES

    quickest: dict[str, str] = {}
    calm = []
    for name in seconds:
        one = book.find(name)
        if one.family in FAMILIES and one.data not in FAMILIES[one.family].DATA and one.data in FAMILIES[one.family].LOCAL:
            continue
        if one.fault is None:
            calm.append(name)
        elif one.fault not in quickest or seconds[name] < seconds[quickest[one.fault]]:
            quickest[one.fault] = name
    return [*quickest.values(), *calm[:: max(1, len(calm) // GATE_HEALTHY)]]


def examine_all(args: argparse.Namespace) -> None:
    """Put the accepted programs before the doctor, for all that have no row yet."""
    from zoo.judge import Book

    book, out = Book(), args.out or RESULTS / ("gate.jsonl" if args.gate else "runs.jsonl")
    if args.gate and out.exists():
        out.unlink()  # a gate asks about the doctor as it is now
    known = accepted(book)
    names = gate(book, known) if args.gate else list(known)
    done = {row["job"] for row in lines(out)}
    wanted = [name for name in names if name not in done and asked(name, args.only) and args.half in ("both", book.find(name).half)]
    wanted = [name for name in wanted if args.part in ("both", "healthy" if name in book.healthy else "faults")]
    wanted = [name for name in wanted if args.family in ("", book.find(name).family)]
    spread("run", wanted, out, args, LIMIT_S)
    if args.gate:
        from table import gate_passes

        sys.exit(0 if gate_passes(out) else 1)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("accept", "run", "worker"))
    parser.add_argument("kind", nargs="?", default="run", help=argparse.SUPPRESS)
    parser.add_argument("--half", choices=("tuned", "held_out", "both"), default="both")
    parser.add_argument("--only", default="", help="programs whose name holds this, or one of these, comma between")
    parser.add_argument("--part", choices=("healthy", "faults", "both"), default="both")
    parser.add_argument("--family", default="")
    parser.add_argument("--gate", action="store_true", help="a small part, under five minutes; exit 1 below the gate's numbers")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=None)
    args = parser.parse_args()
    if args.command == "worker":
        work(args.kind, args.seed)
    elif args.command == "accept":
        judge_all(args)
    else:
        examine_all(args)


if __name__ == "__main__":
    main()
