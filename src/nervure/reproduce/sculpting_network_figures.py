"""Pictures of pruned networks by module: appendix B of the sculpting paper, and its digits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from nervure.modules import (
    MNIST_SHARE,
    MNIST_THRESHOLD,
    Detection,
    Hierarchy,
    detect_modules,
)
from nervure.report.hierarchy_drawing import hierarchy_drawing
from nervure.report.module_colours import COLOURS
from nervure.report.modules_drawing import network_by_module
from nervure.report.modules_layout import unit_positions
from nervure.report.style import FAINT, PAPER, new_figure, title
from nervure.reproduce.sculpting import VALIDATION
from nervure.reproduce.sculpting_trials import Found, Trial, trials, wiring_of

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
# Short for the targets of `two_digits` and `hierarchical_digits`.
_OUTPUTS = {
    "two-digits": tuple(f"{side}{digit}" for side in "LR" for digit in range(10)),
    "hierarchical": ("bit 4", "bit 2", "bit 1"),
}


def structures(found: Found) -> Figure | None:
    """Draw one network of each validation graph and number of hidden layers (figure 14).

    The first exact one, or else the first; the title says which.
    """
    there = [trial for trial in trials(found, "validation") if trial.sculpted]
    if not there:
        return None
    depths = sorted({trial.cell["depth"] for trial in there})
    columns = [task for task in VALIDATION if any(t.cell["task"] == task for t in there)]
    letters = iter(_LETTERS)
    rows = ["".join(next(letters) for _ in columns) for _ in depths]
    figure, axes = new_figure(2.5 * len(depths), tuple(rows))
    panels = [(depth, task) for depth in depths for task in columns]
    for ax, (depth, task) in zip(axes, panels, strict=True):
        ax.set_axis_off()
        here = [t for t in there if (t.cell["depth"], t.cell["task"]) == (depth, task)]
        if here:
            trial = next((t for t in here if t.exact), here[0])
            _draw(ax, trial.detection())
            told = "exact" if trial.exact else "no trial is exact"
            title(ax, f"{task}\n{_layers(trial)}: {told}")
    return figure


def _layers(trial: Trial) -> str:
    depth = trial.cell["depth"]
    return "1 hidden layer" if depth == 1 else f"{depth} hidden layers"


def _draw(ax: Axes, detection: Detection) -> None:
    """Draw the live units, inputs below and outputs above as in the paper, coloured by module."""
    module_of = np.full(detection.topology.num_nodes, -1)
    for i, module in enumerate(Hierarchy.from_detection(detection).modules):
        module_of[list(module.nodes)] = i
    placed = unit_positions(detection, module_of)
    # Layers upward, units to the right, each layer as wide as the panel.
    xy = np.column_stack((-placed[:, 1], placed[:, 0]))
    for layer in range(len(detection.layers)):
        here = (detection.layer_of == layer) & (module_of >= 0)
        widest = np.abs(xy[here, 0]).max(initial=0)
        if widest:
            xy[here, 0] *= min(1.0, 0.2 * here.sum()) / widest
    starts, ends = detection.topology.sources, detection.topology.targets
    live = (module_of[starts] >= 0) & (module_of[ends] >= 0)
    starts, ends = starts[live], ends[live]
    inside = module_of[starts] == module_of[ends]
    colours = [
        COLOURS[module % len(COLOURS)] if same else FAINT
        for module, same in zip(module_of[starts].tolist(), inside.tolist(), strict=True)
    ]
    lines = np.stack((xy[starts], xy[ends]), axis=1)
    ax.add_collection(LineCollection(list(lines), colors=colours, linewidths=0.8, zorder=1))
    nodes = np.flatnonzero(module_of >= 0)
    ax.scatter(
        xy[nodes, 0], xy[nodes, 1], s=36, zorder=2, edgecolors=PAPER, linewidths=0.5,
        c=[COLOURS[module % len(COLOURS)] for module in module_of[nodes].tolist()],
    )  # fmt: skip
    ax.set_xlim(-1.15, 1.15)
    ax.set_ylim(-0.4, len(detection.layers) - 0.6)


def image_networks(found: Found) -> dict[str, Figure]:
    """Draw a network of each image task and its hierarchy (figures 32 and 33).

    Of those that have modules, the one that divides most of what it should.
    """
    figures: dict[str, Figure] = {}
    for part, result in _best_of(found):
        sizes = result["sizes"]
        detection = detect_modules(
            wiring_of(result["wiring"], sizes), layers=sizes, threshold=MNIST_THRESHOLD,
            merge_share=MNIST_SHARE,
        )  # fmt: skip
        names = _OUTPUTS[part]
        hierarchy = Hierarchy.from_detection(
            detection, output_names=names if len(names) == sizes[-1] else None
        )
        figures[f"{part}-network"] = network_by_module(detection, hierarchy)
        figures[f"{part}-hierarchy"] = hierarchy_drawing(hierarchy)
    return figures


def _best_of(found: Found) -> Iterator[tuple[str, Mapping[str, Any]]]:
    there = [(cell["part"], result) for cell, result in found if "modules" in result]
    for part in dict.fromkeys(part for part, _ in there):
        yield (
            part,
            max(
                (result for other, result in there if other == part),
                key=lambda result: (
                    result["separate"],
                    result["inputs"] + result["outputs"] + result["middle"],
                    -result["crossing"],
                ),
            ),
        )
