"""What became of the trainings of a contest, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from nervure.reproduce.ledger import Cell
from nervure.reproduce.neural_modules import contest
from nervure.reproduce.neural_modules.part import Found, spread

AVERAGED = (
    "A pair is a dataset and a seed, errors averaged over sizes: sizes share all rows, and are no "
    "pairs of their own."
)


def error_text(found: Found, method: str, data: str, nodes: int, target: str = "classes") -> str:
    """Write test errors over seeds, and how many trainings were over time or failed.

    Parameters
    ----------
    found : sequence of (cell, result)
    method, data, nodes, target
        What the trainings have in common.

    Returns
    -------
    str
        Mean and standard deviation of those that came to an end, in brackets after "over time"
        where that is true of all of them; "failed" if none did, "not run" if there is none.
    """
    results = [
        r
        for c, r in contest.trained(found)
        if (c["method"], c["data"], c["nodes"], c["target"]) == (method, data, nodes, target)
    ]
    if not results:
        return "not run"
    ended = [r for r in results if "failed" not in r]
    if not ended:
        return "failed"
    late = sum(bool(r["over_time"]) for r in ended)
    text = spread([float(r["test_error"]) for r in ended], 4)
    if late == len(ended):
        text = f"over time ({text})"
    elif late:
        text += f", over time {late} of {len(results)}"
    if len(ended) < len(results):
        text += f", failed {len(results) - len(ended)} of {len(results)}"
    return text


def remarks(found: Found, labels: Mapping[str, str]) -> list[str]:
    """Say what a table of errors does not: what failed and why, was over time, or left out.

    Parameters
    ----------
    found : sequence of (cell, result)
    labels : mapping of str to str
        By the name of a method.

    Returns
    -------
    list of str
    """
    lines = [
        f"failed: {labels[c['method']]}, {_where(c)}: {r['failed']}"
        for c, r in contest.trained(found)
        if "failed" in r
    ]
    late = _counted(labels, [(c, bool(r["over_time"])) for c, r in contest.finished(found)])
    if late:
        lines.append(
            f"trainings over time: {late}; their errors are those of the best epoch by "
            "then, and count in the comparisons"
        )
    short = _counted(
        labels,
        [
            (c, trial["seconds"] > c["seconds"])
            for c, r in found
            if c["kind"] == "search"
            for trial in r["trials"]
        ],
    )
    if short:
        lines.append(f"trials of searches that the time budget ended: {short}")
    lost = sum(int(r.get("lost", 0)) for _, r in contest.finished(found))
    if lost:
        lines.append(f"samples without an equilibrium, left out of their training step: {lost:,}")
    for key, words in (("unsolved", "solves"), ("unsolved_backward", "adjoint solves")):
        shares: dict[str, list[float]] = {}
        for cell, result in contest.finished(found):
            if key in result:
                shares.setdefault(labels[cell["method"]], []).append(float(result[key]))
        lines += [
            f"{label}: {100 * fmean(values):.2g} % of all {words} missed the tolerance"
            for label, values in shares.items()
        ]
    return lines


def _counted(labels: Mapping[str, str], told: Sequence[tuple[Cell, bool]]) -> str:
    parts = []
    for method, label in labels.items():
        own = [true for cell, true in told if cell["method"] == method]
        if any(own):
            parts.append(f"{label} {sum(own)} of {len(own)}")
    return ", ".join(parts)


def _where(cell: Mapping[str, object]) -> str:
    target = "" if cell["target"] == "classes" else f" ({cell['target']})"
    return f"{cell['data']}{target}, {cell['nodes']} nodes, seed {cell['seed']}"
