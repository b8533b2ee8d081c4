"""Damage files of every kind that nervure reads, load each, and count what comes of it.

    python tools/fuzz_files.py --seconds 60 --seed 0
    python tools/fuzz_files.py --files 500 --only checkpoint   # kinds whose name holds the text
    python tools/fuzz_files.py --seed 0 --case 1234            # a single file, with its traceback

A file may be refused with the error that its reader promises, or load to what it was, or to
something else that works: its wiring is a graph, its weights are finite, its forward pass runs.
Anything else is a failure: another exception or a warning, a crash, more than --patience seconds,
or more than --megabytes of memory. The number of a case and the seed give the same damage again;
--keep takes the files of failures, each with a text that says what happened. Exits 1 if any did.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fuzz_worker import OUTCOMES, Case, Limits, Worker
from fuzzed_kinds import Kind, kinds


def case_of(number: int, seed: int, known: Sequence[tuple[Kind, bytes]]) -> Case:
    """Give the file of a number: its kind, and one damage or two."""
    chance = random.Random(f"{seed} {number}")
    kind, data = chance.choice(known)
    whole, names = data, []
    for _ in range(chance.choice((1, 1, 1, 2))):
        damage = chance.choice(kind.damages)
        try:
            data = damage(data, chance)
        except (LookupError, ValueError, TypeError, AttributeError, RecursionError, sqlite3.Error):
            # Nothing is left that this damage needs.
            continue
        names.append(damage.__name__)
    return Case(number, kind, " and ".join(names), data, data == whole)


def sound_files(only: str) -> list[tuple[Kind, bytes]]:
    """Write a sound file of each kind whose name holds a text."""
    found = []
    for kind in kinds():
        if only not in kind.name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / kind.file
            kind.write(path)
            found.append((kind, path.read_bytes()))
    return found


def kept(case: Case, seed: int, text: str, folder: Path) -> None:
    """Keep the file of a failure, and what happened."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{seed}-{case.number}-{case.kind.file}"
    path.write_bytes(case.data)
    about = f"{case.kind.name}, {case.damage}\n{text}\n"
    path.with_name(f"{path.name}.txt").write_text(
        about, encoding="utf-8", errors="backslashreplace"
    )


def table(counts: dict[str, Counter[str]]) -> str:
    """Lay the counts out, a line for each kind."""
    width = max(map(len, (*counts, "all")))
    lines = ["".join((f"{'kind':{width}}", *(f"{name:>13}" for name in ("files", *OUTCOMES))))]
    everything = sum(counts.values(), Counter[str]())
    for name, row in (*counts.items(), ("all", everything)):
        numbers = (row.total(), *(row[outcome] for outcome in OUTCOMES))
        lines.append("".join((f"{name:{width}}", *(f"{number:>13,}" for number in numbers))))
    return "\n".join(lines)


def main() -> None:
    """Read the options, fuzz, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="for how long; 60")
    parser.add_argument("--files", type=int, help="how many files, instead of seconds")
    parser.add_argument("--seed", type=int, default=0, help="of the damages; 0")
    parser.add_argument("--only", default="", help="kinds whose name holds this text; all")
    parser.add_argument("--case", type=int, help="the number of a single case")
    parser.add_argument("--keep", type=Path, help="folder for the files of failures")
    parser.add_argument("--patience", type=float, default=10.0, help="seconds for a file; 10")
    parser.add_argument("--megabytes", type=int, default=256, help="of memory for a file; 256")
    options = parser.parse_args()
    # Texts of damaged files are printed; not every one can be.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    known = sound_files(options.only)
    counts = {kind.name: Counter[str]() for kind, _ in known}
    limits = Limits(options.patience, options.megabytes * 2**20)
    number = options.case or 0
    last = number + 1 if options.case is not None else options.files
    end = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory() as folder, Worker(known, Path(folder), limits) as worker:
        while number < last if last is not None else time.monotonic() < end:
            case = case_of(number, options.seed, known)
            outcome, text = worker.tried(case)
            counts[case.kind.name][outcome] += 1
            if outcome == "failed" or options.case is not None:
                print(f"case {number}: {case.kind.name}, {case.damage}: {outcome}\n{text}")
            if outcome == "failed" and options.keep is not None:
                kept(case, options.seed, text, options.keep)
            number += 1
    print(table(counts))
    sys.exit(any(row["failed"] for row in counts.values()))


if __name__ == "__main__":
    main()
