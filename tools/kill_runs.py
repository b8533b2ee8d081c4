"""Kill real runs at random moments, go on with them, and compare with a run that nobody killed.

    python tools/kill_runs.py                            # 20 kills of every method
    python tools/kill_runs.py --method freenet --kills 5 --seed 3 --json

Each run is a process of its own, killed by SIGKILL at a moment drawn between its start and the time
that an undisturbed one takes, and gone on with until it finishes. Then its weights, wiring, metrics
and rewirings must be those of the undisturbed run, bit for bit, but for times.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from safetensors import safe_open

from nervure.errors import RunError
from nervure.jobs import (
    FreeNetRequest,
    NeuralModulesRequest,
    SculptRequest,
    SparseMLPRequest,
    TradeoffRequest,
    train_freenet,
    train_neural_modules,
    train_sculpted,
    train_sparse_mlp,
    train_tradeoff,
)
from nervure.training.run import Run

METHODS = {
    "neural-modules": (train_neural_modules, NeuralModulesRequest(nodes=60, epochs=8)),
    "freenet": (train_freenet, FreeNetRequest(neurons=40, epochs=8)),
    "set": (train_sparse_mlp, SparseMLPRequest(hidden=(60, 60), epochs=8)),
    "sculpt": (
        train_sculpted,
        SculptRequest(
            data="[4, 2, 4]", hidden=(12,), epochs=10, unit_steps=(0.2, 0.4), edge_steps=(0.2,)
        ),
    ),
    "tradeoff": (train_tradeoff, TradeoffRequest(nodes=5, channels=2, rows=300, epochs=5)),
}
TIMES = ("seconds", "train_seconds")


def started(method: str, folder: Path) -> int:
    """Train in a process of its own: begin, or go on with what is there."""
    child = os.fork()
    if child:
        return child
    train, request = METHODS[method]
    code = 1
    try:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        known = (folder / "run.sqlite").exists() and has_begun(folder)
        train(replace(request, out=folder, resume=known, force=not known), None)
        code = 0
    finally:
        os._exit(code)


def has_begun(folder: Path) -> bool:
    """Tell whether a run was killed after it had written down what it was asked for."""
    try:
        with Run.open(folder) as run:
            return run.request is not None
    except RunError:
        return False


def has_finished(folder: Path) -> bool:
    """Tell whether a run has ended by itself."""
    with Run.open(folder) as run:
        return run.status == "finished"


def contents(folder: Path) -> dict[str, object]:
    """Read all that two runs must have in common."""
    with safe_open(folder / "model.safetensors", framework="np") as file:
        tensors = {name: file.get_tensor(name).tobytes() for name in file.keys()}  # noqa: SIM118
    with sqlite3.connect(folder / "run.sqlite") as database:
        epochs = [
            (epoch, {k: v for k, v in json.loads(text).items() if k not in TIMES})
            for epoch, text in database.execute("SELECT * FROM epochs ORDER BY epoch")
        ]
        rewirings = database.execute(
            "SELECT epoch, step, gamma, pruned, grown FROM rewirings ORDER BY id"
        ).fetchall()
        topologies = database.execute("SELECT * FROM topologies ORDER BY epoch").fetchall()
    database.close()
    return {
        "weights": tensors,
        "metrics": epochs,
        "rewirings": rewirings,
        "topologies": topologies,
    }


def killed(method: str, kills: int, draw: random.Random, base: Path) -> dict[str, object]:
    """Kill runs of a method so many times; compare each that has come to its end."""
    whole = base / "whole"
    begin = time.time()
    if os.waitstatus_to_exitcode(os.waitpid(started(method, whole), 0)[1]):
        raise SystemExit(f"{method} does not even train undisturbed")
    # Drawing goes on for longer than all the rest; kills are to meet the training.
    duration = (whole / "model.safetensors").stat().st_mtime - begin
    expected = contents(whole)
    done, runs, stages = 0, 0, Counter[str]()
    different: list[str] = []
    while done < kills:
        folder = base / f"run{runs}"
        runs += 1
        while True:
            child = started(method, folder)
            if done < kills:
                time.sleep(draw.uniform(0, duration))
                os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            code = os.waitstatus_to_exitcode(status)
            if code not in (0, -signal.SIGKILL):
                raise SystemExit(f"{method}: a resumed run failed; see {folder}")
            if code == -signal.SIGKILL:
                done += 1
                stages[stage_of(folder)] += 1
            if (folder / "run.sqlite").exists() and has_begun(folder) and has_finished(folder):
                break
        found = contents(folder)
        different += [f"{folder.name}: {key}" for key in expected if found[key] != expected[key]]
    return {
        "method": method,
        "kills": done,
        "runs": runs,
        "killed_at": dict(stages),
        "seconds_undisturbed": round(duration, 2),
        "different": different,
    }


def stage_of(folder: Path) -> str:
    """Say how far a killed run had come."""
    if not (folder / "run.sqlite").exists() or not has_begun(folder):
        return "before it began"
    if has_finished(folder):
        return "after its end"
    if (folder / "checkpoint-baseline.safetensors").exists():
        return "in the other network's training"
    if any(folder.glob(".checkpoint-*.tmp")):
        return "while a checkpoint was written"
    if (folder / "checkpoint-network.safetensors").exists():
        return "after a checkpoint"
    return "before the first checkpoint"


def main() -> None:
    """Read the options, kill, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--method", action="append", choices=METHODS, help="all if not given")
    parser.add_argument("--kills", type=int, default=20, help="of each method; 20")
    parser.add_argument("--seed", type=int, default=0, help="of the moments; 0")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    results = []
    for method in options.method or METHODS:
        with tempfile.TemporaryDirectory() as base:
            draw = random.Random(f"{options.seed} {method}")
            results.append(killed(method, options.kills, draw, Path(base)))
        if not options.json:
            one = results[-1]
            print(
                f"{method}: killed {one['kills']} times in {one['runs']} runs of "
                f"{one['seconds_undisturbed']} s; "
                + (f"DIFFERENT: {one['different']}" if one["different"] else "all the same")
                + f"; {one['killed_at']}",
                flush=True,
            )
    if options.json:
        print(json.dumps(results))
    sys.exit(any(one["different"] for one in results))


if __name__ == "__main__":
    main()
