"""Test error of neural modules beside the plain network, per penalty, over seeds.

    python benchmarks/neural_modules_accuracy.py --data codon --nodes 200 --seeds 5
    python benchmarks/neural_modules_accuracy.py --data gas activity facebook --nodes 300 --seeds 3

Every run is that of `nervure train neural-modules` with its defaults but for the penalty (and
alpha, if given); the same seed gives the same split and initial weights to all penalties, so
differences are paired. A run that does not converge is reported as such and left out of the means.
Results are added to a JSON-lines file, from which finished runs are taken when the command is
repeated.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nervure.errors import NervureError
from nervure.jobs import NeuralModulesRequest, train_neural_modules
from nervure.rules.repulsion import ALPHA

PENALTIES = ("repulsion", "none", "l2")
KEYS = "data", "nodes", "penalty", "alpha", "seed", "epochs"


def run_one(key: dict[str, Any]) -> dict[str, Any]:
    """Train once and give the summary, or the reason why not."""
    with tempfile.TemporaryDirectory() as folder:
        request = NeuralModulesRequest(
            **key,
            # One baseline per seed is enough: it does not know of penalties.
            baseline=key["penalty"] == PENALTIES[0],
            out=Path(folder) / "run",
        )
        try:
            summary = train_neural_modules(request).summary
        except NervureError as error:
            return {**key, "failed": f"{type(error).__name__}: {error}"}
    summary.pop("baseline_epochs", None)
    return {**key, **summary}


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation in per cent."""
    if not values:
        return "-"
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{100 * statistics.mean(values):.2f} ± {100 * deviation:.2f}"


def report(results: list[dict[str, Any]]) -> None:
    """Print one line per dataset and method."""
    print("| data | nodes | method | seeds | test error % | modules | largest | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    for data, nodes in dict.fromkeys((r["data"], r["nodes"]) for r in results):
        here = [r for r in results if (r["data"], r["nodes"]) == (data, nodes)]
        plain = [r for r in here if "baseline_test_error" in r]
        print(
            f"| {data} | {nodes} | plain network | {len(plain)} | "
            f"{spread([r['baseline_test_error'] for r in plain])} | | | "
            f"{statistics.mean([r['baseline_seconds'] for r in plain]):.1f} |"
        )
        for penalty in PENALTIES:
            done = [r for r in here if r["penalty"] == penalty and "failed" not in r]
            failed = [r for r in here if r["penalty"] == penalty and "failed" in r]
            note = f" ({len(failed)} not converged)" if failed else ""
            if not done:
                print(f"| {data} | {nodes} | {penalty} | 0{note} | - | - | - | - |")
                continue
            modules = ", ".join(str(r["modules"]) for r in done)
            largest = ", ".join(str(r["largest_module"]) for r in done)
            seconds = statistics.mean([r["seconds"] for r in done])
            print(
                f"| {data} | {nodes} | {penalty} | {len(done)}{note} | "
                f"{spread([r['test_error'] for r in done])} | {modules} | {largest} | "
                f"{seconds:.1f} |"
            )
        paired(here)


def paired(results: list[dict[str, Any]]) -> None:
    """Print paired differences of repulsion against the others, seed by seed."""
    by_seed = {
        penalty: {
            r["seed"]: r["test_error"]
            for r in results
            if r["penalty"] == penalty and "failed" not in r
        }
        for penalty in PENALTIES
    }
    by_seed["plain network"] = {
        r["seed"]: r["baseline_test_error"] for r in results if "baseline_test_error" in r
    }
    ours = by_seed[PENALTIES[0]]
    for name, theirs in by_seed.items():
        common = sorted(set(ours) & set(theirs))
        if name == PENALTIES[0] or not common:
            continue
        differences = [ours[s] - theirs[s] for s in common]
        better = sum(d < 0 for d in differences)
        print(
            f"|  |  | repulsion - {name}, paired | {len(common)} | {spread(differences)} | "
            f"better in {better} of {len(common)} | | |"
        )


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["codon"])
    parser.add_argument("--nodes", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--alpha", type=float, default=ALPHA)
    parser.add_argument("--results", type=Path, default=Path("neural_modules_accuracy.jsonl"))
    options = parser.parse_args()
    lines = options.results.read_text().splitlines() if options.results.exists() else []
    known = [json.loads(line) for line in lines]
    wanted = [
        (data, options.nodes, penalty, options.alpha, seed, options.epochs)
        for data in options.data
        for seed in range(options.seeds)
        for penalty in PENALTIES
    ]
    results = []
    for case in wanted:
        found = next((r for r in known if tuple(r.get(k) for k in KEYS) == case), None)
        if found is None:
            found = run_one(dict(zip(KEYS, case, strict=True)))
            with options.results.open("a") as file:
                file.write(json.dumps(found) + "\n")
        results.append(found)
    report(results)


if __name__ == "__main__":
    main()
