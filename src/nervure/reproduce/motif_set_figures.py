"""Figures 6 to 9 of the motif paper from a ledger, and what SET chose of the inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from nervure.report import importance_image
from nervure.report.style import FAINT, INK, NEGATIVE, POSITIVE, epoch_axis, legend, title
from nervure.reproduce.motif_set import VARIANTS
from nervure.reproduce.motif_set_tables import Found, Line, paper_curves, score_curves
from nervure.reproduce.panels import panel_grid

_TITLES = {"fashion_mnist": "Fashion-MNIST", "lung": "lung", "tox171": "tox171"}
# Colour by motif size; dashes where weights are tied, dots for the static network.
_COLOURS = {1: INK, 2: POSITIVE, 4: NEGATIVE}
_WEIGHTS = np.linspace(0, 1, 41)
# The paper draws the first 30 epochs.
_EPOCHS = 30


def write_figures(found: Found, lines: Sequence[Line], folder: Path) -> list[Path]:
    """Draw every figure there are results for.

    Parameters
    ----------
    found, lines
        As from `Ledger.results` and `motif_set_tables.lines`.
    folder : Path
        Made if missing.

    Returns
    -------
    list of Path
        ``figures-6-7-time.png`` and so on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cases = list(dict.fromkeys((line.data, line.hidden) for line in lines if line.hidden))
    drawn: dict[str, Figure] = {}
    if cases:
        drawn["figures-6-7-time"] = _curves(found, cases, "seconds_curve")
        drawn["accuracy"] = _curves(found, cases, "curve")
        drawn["figures-8-9-score"] = _scores(lines, cases)
    for cell, result in found:
        chosen = result.get(VARIANTS[0].name, {})
        if "input_strengths" in chosen and cell["seed"] == 0:
            strengths = np.array(chosen["input_strengths"])
            name = f"importance-{cell['data']}-{cell['hidden']}"
            shape = tuple(chosen["image_shape"])
            drawn[name] = importance_image(strengths / strengths.sum(), shape)
    paths = []
    for name, figure in drawn.items():
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=150)
    return paths


def _curves(found: Found, cases: Sequence[tuple[str, str]], key: str) -> Figure:
    figure, axes = panel_grid(len(cases), min(2, len(cases)))
    for ax, (data, hidden) in zip(axes, cases, strict=True):
        results = [
            r
            for c, r in found
            if (c["part"], c["data"], c.get("hidden")) == ("sparse", data, hidden)
        ]
        for variant in VARIANTS:
            curves = [
                np.array(result[variant.name][key][:_EPOCHS])
                for result in results
                if key in result[variant.name]
            ]
            if not curves:
                continue
            mean = np.mean(curves, axis=0) * (100 if key == "curve" else 1)
            ax.plot(np.arange(1, len(mean) + 1), mean, label=variant.name, **_look(variant.name))
            epoch_axis(ax, [1, len(mean)])
        title(ax, f"{_TITLES[data]}, {hidden}")
        if key == "curve":
            ax.set_ylabel("validation accuracy (%)")
        else:
            ax.set_ylabel("seconds per epoch")
            ax.set_ylim(bottom=0)
        legend(ax, ncols=2)
    return figure


def _scores(lines: Sequence[Line], cases: Sequence[tuple[str, str]]) -> Figure:
    figure, axes = panel_grid(len(cases), min(2, len(cases)))
    for ax, (data, hidden) in zip(axes, cases, strict=True):
        chosen = [
            line
            for line in lines
            if (line.data, line.hidden) == (data, hidden)
            and line.network in {variant.name for variant in VARIANTS}
        ]
        for name, scores in score_curves(chosen, _WEIGHTS.tolist()).items():
            ax.plot(_WEIGHTS, scores, label=name, **_look(name))
        if hidden == "3x3000":
            for name, scores in paper_curves(data, _WEIGHTS.tolist()).items():
                ax.plot(_WEIGHTS, scores, label=f"{name}, paper", **{**_look(name), "alpha": 0.35})
        ax.axvline(0.1, color=FAINT, linestyle=":", linewidth=1)
        title(ax, f"{_TITLES[data]}, {hidden}")
        ax.set_xlabel("weight of time (dotted: the paper's 0.1)")
        ax.set_ylabel("comprehensive score S")
        legend(ax, ncols=2)
    return figure


def _look(name: str) -> Mapping[str, Any]:
    variant = next(variant for variant in VARIANTS if variant.name == name)
    style = ":" if variant.rule == "static" else "--" if variant.tied else "-"
    return {"color": _COLOURS[variant.motif_size], "linestyle": style, "linewidth": 1.6}
