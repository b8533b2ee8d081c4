"""How a sculpted network was pruned: its rounds, and what they cost in accuracy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from nervure.report.material import Material
from nervure.report.page import picture, section
from nervure.report.style import FAINT, INK, NEGATIVE, PAPER, POSITIVE, legend, new_figure, title
from nervure.report.words import escape, finite, metrics_table, number, percent, plural

_MERITS = {"bits": "share of right bits", "regression": "R²"}
_ROUND_COLUMNS = (
    ("round", "round"),
    ("phase", "what it tried"),
    ("pruned", "pruned of the start"),
    ("units", "hidden units"),
    ("edges", "edges"),
    ("merit", "merit"),
    ("kept", "accepted"),
    ("epochs", "epochs"),
)
_NETWORK_COLUMNS = (
    ("unit_step", "unit step"),
    ("edge_step", "edge step"),
    ("edges", "edges"),
    ("units", "hidden units"),
    ("merit", "merit"),
    ("good", "threshold reached"),
    ("rounds", "rounds"),
    ("epochs", "epochs"),
)
_MOST_NETWORKS = 20  # listed; of more, the sparsest
_PHASES = {
    "dense": "training the dense network",
    "unit": "fewer units",
    "settle": "training once more",
    "edge": "fewer edges",
}


@dataclass(frozen=True)
class Step:
    """One round of one network.

    Attributes
    ----------
    round : int
        Counted from 1.
    phase : str
    share : float
        Pruned, of the units or edges of the start.
    merit : float
        Not a number where training failed.
    accepted : bool
    units, edges, epochs : int
    """

    round: int
    phase: str
    share: float
    merit: float
    accepted: bool
    units: int
    edges: int
    epochs: int


def histories(epochs: Sequence[Mapping[str, Any]]) -> dict[tuple[Any, Any], list[Step]]:
    """Give the rounds that led to each network, by its steps.

    Parameters
    ----------
    epochs : sequence of dict
        Rounds as `nervure train sculpt` records them, with "branches".

    Returns
    -------
    dict
        (unit step, edge step) to the rounds; a step is None that was not come to. Rounds before
        networks part belong to all of them.
    """
    found: dict[tuple[Any, Any], list[Step]] = {}
    for epoch in epochs:
        for branch in epoch.get("branches") or ():
            key = branch["unit_step"], branch["edge_step"]
            found.setdefault(key, []).append(
                Step(
                    int(epoch["epoch"]), str(branch["phase"]), float(branch["share"]),
                    float(branch["merit"]), bool(branch["accepted"]), int(branch["nodes"]),
                    int(branch["edges"]), int(branch["epochs"]),
                )
            )  # fmt: skip
    shared = {one for key in found for one in _ancestors(key)}
    return {
        key: [step for one in (*_ancestors(key), key) for step in found.get(one, ())]
        for key in found
        if key not in shared
    }


def _ancestors(key: tuple[Any, Any]) -> list[tuple[Any, Any]]:
    """Give the keys under which earlier rounds of a network are recorded."""
    earlier = [(None, None), (key[0], None)]
    return list(dict.fromkeys(one for one in earlier if one != key))


def pruning_curves(
    networks: Mapping[tuple[Any, Any], Sequence[Step]],
    chosen: tuple[Any, Any],
    *,
    threshold: float | None = None,
    merit: str = "accuracy",
) -> Figure:
    """Draw edges against rounds, and merit against edges left, accepted or not.

    Parameters
    ----------
    networks : mapping
        From `histories`.
    chosen : tuple
        Of these, the network that stands out.
    threshold : float, optional
        Drawn as a line.
    merit : str
        What it is.

    Returns
    -------
    Figure
    """
    figure, (left, right) = new_figure(3.4, ("ab",))
    for key, steps in networks.items():
        if key != chosen:
            kept = [step for step in steps if step.accepted]
            left.plot([s.round for s in kept], [s.edges for s in kept], color=FAINT, linewidth=0.8)
            right.plot([s.edges for s in kept], [s.merit for s in kept], color=FAINT,
                       linestyle="none", marker=".", markersize=3)  # fmt: skip
    steps = networks[chosen]
    kept = [step for step in steps if step.accepted]
    left.plot([s.round for s in kept], [s.edges for s in kept], color=INK, linewidth=1.6)
    _marks(left, steps, lambda step: (step.round, step.edges))
    _marks(right, steps, lambda step: (step.edges, step.merit))
    if len(networks) > 1:
        left.plot([], [], color=FAINT, linewidth=0.8, label="other steps")
    if threshold is not None:
        right.axhline(threshold, color=INK, linewidth=0.9, linestyle=":")
        right.annotate("threshold", (0.01, threshold), (0, 3), fontsize=9, color=INK,
                       xycoords=("axes fraction", "data"), textcoords="offset points")  # fmt: skip
    title(left, "Edges in training")
    left.set_xlabel("round")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    _edge_axis(left, "y", [s.edges for one in networks.values() for s in one])
    title(right, "What pruning costs, on validation data")
    right.set_ylabel(merit)
    right.set_xlabel("edges")
    _edge_axis(right, "x", [s.edges for one in networks.values() for s in one])
    right.invert_xaxis()
    _merit_limits(right, steps, threshold)
    legend(left, loc="best")
    return figure


def _marks(ax: Axes, steps: Sequence[Step], place: Any) -> None:  # noqa: ANN401
    looks: dict[tuple[str, bool, bool | None], dict[str, Any]] = {
        ("accepted, fewer units", True, True): {"color": POSITIVE, "marker": "s"},
        ("accepted, fewer edges", True, False): {"color": INK, "marker": "o"},
        ("turned down", False, None): {"color": NEGATIVE, "marker": "x"},
    }
    for (label, accepted, units), look in looks.items():
        chosen = [
            place(step)
            for step in steps
            if step.accepted == accepted and units in (None, step.phase in ("unit", "dense"))
        ]
        if chosen:
            ax.plot(*zip(*chosen, strict=True), linestyle="none", markersize=4.5, label=label,
                    markeredgecolor=look["color"] if look["marker"] == "x" else PAPER,
                    markeredgewidth=1.2 if look["marker"] == "x" else 0.5, zorder=3,
                    **look)  # fmt: skip


def _edge_axis(ax: Axes, which: str, edges: Sequence[int]) -> None:
    axis = getattr(ax, f"{which}axis")
    # Networks that have lost all their edges have no place on it.
    getattr(ax, f"set_{which}scale")("log", nonpositive="clip")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axis.set_minor_formatter(NullFormatter())
    positive = [count for count in edges if count]
    if positive:
        getattr(ax, f"set_{which}lim")(0.8 * min(positive), 1.25 * max(positive))


def _merit_limits(ax: Axes, steps: Sequence[Step], threshold: float | None) -> None:
    """Show what is accepted, and as much below as is above, so that failures do not squeeze it."""
    merits = [s.merit for s in steps if math.isfinite(s.merit)]
    high = max([*merits, *([] if threshold is None else [threshold])], default=1.0)
    low = float(np.median([m for m in merits if m < high])) if min(merits, default=1) < high else 0
    floor = min(low, threshold if threshold is not None else low)
    margin = max(0.15 * (high - floor), 1e-3)
    ax.set_ylim(floor - 2 * margin, high + margin)


def pruning(material: Material) -> str:
    """Show how the network was pruned, round by round; nothing where no round was recorded."""
    networks = histories(material.epochs)
    if not networks:
        return ""
    chosen = material.result.get("unit_step"), material.result.get("edge_step")
    if chosen not in networks:
        chosen = min(networks, key=lambda key: _least(networks[key]))
    steps = networks[chosen]
    merit = _MERITS.get(str(material.config.get("task")), "accuracy")
    threshold = finite(material.get("threshold"))
    if threshold is None:
        threshold = steps[0].merit - (finite(material.config.get("tolerance")) or 0.0)
    first, last, tried = steps[0].edges, _least(steps), len(steps) - 1
    turned = sum(not step.accepted for step in steps)
    described = (
        f"Edges fell from {number(first)} to {number(last)} ({percent(last / max(first, 1))}) in "
        f"{plural(tried, 'round')} of pruning, of which {turned} were turned down."
    )
    caption = (
        "Each round prunes, trains and is accepted if the threshold is reached; else the last "
        "accepted network is taken back and the step halved."
    )
    if len(networks) > 1:
        caption += (
            f" This is the sparsest of {plural(len(networks), 'network')}, one for each pair of "
            "steps."
        )
    if not steps[0].accepted:
        caption += (
            " The dense network did not reach the threshold, and so nothing was pruned: train "
            "longer or wider, or ask for less."
        )
    figure = pruning_curves(networks, chosen, threshold=threshold, merit=merit)
    table = metrics_table([_round_row(step) for step in steps], _ROUND_COLUMNS)
    return section(
        "pruning",
        "Pruning, round by round",
        picture(figure, "pruning", described, f"{described} {caption}"),
        _grid(material),
        f"<details><summary>{escape(f'The rounds of this network; merit is {merit}')}</summary>"
        f"{table}</details>",
    )


def _least(steps: Sequence[Step]) -> int:
    return min((step.edges for step in steps if step.accepted), default=steps[0].edges)


def _round_row(step: Step) -> dict[str, Any]:
    return {
        "round": step.round,
        "phase": _PHASES.get(step.phase, step.phase),
        "pruned": percent(min(1.0, step.share)) if step.phase in ("unit", "edge") else None,
        "units": step.units,
        "edges": step.edges,
        "merit": step.merit,
        "kept": step.accepted,
        "epochs": step.epochs,
    }


def _grid(material: Material) -> str:
    """List the networks of the other steps."""
    rows = [dict(row) for row in material.result.get("networks") or () if isinstance(row, Mapping)]
    if len(rows) < 2:
        return ""
    for row in rows:
        row["good"] = row.get("reached")
    ranked = sorted(rows, key=lambda row: (not row["good"], row["edges"]))[:_MOST_NETWORKS]
    which = "" if len(rows) == len(ranked) else f" of {len(rows)}, the sparsest {len(ranked)}"
    return metrics_table(ranked, _NETWORK_COLUMNS, caption=f"A network for each pair{which}")
