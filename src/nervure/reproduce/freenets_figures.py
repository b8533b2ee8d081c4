"""Figures 4 to 9 of the FreeNets paper from a ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from nervure.report.style import (
    FAINT,
    INK,
    NEGATIVE,
    POSITIVE,
    epoch_axis,
    legend,
    title,
)
from nervure.reproduce.freenets import BINS
from nervure.reproduce.freenets_tables import Found, Line
from nervure.reproduce.panels import panel_grid

_TITLES = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST", "emnist": "EMNIST, our subset"}
Results = Sequence[Mapping[str, Any]]


def write_figures(found: Found, lines: Sequence[Line], folder: Path) -> list[Path]:
    """Draw every figure there are results for.

    Parameters
    ----------
    found, lines
        As from `Ledger.results` and `freenets_tables.lines`.
    folder : Path
        Made if missing.

    Returns
    -------
    list of Path
        ``figure-4-curves.png`` and so on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    datasets = list(dict.fromkeys(line.data for line in lines))
    sizes = sorted({line.neurons for line in lines})
    ends = sorted({sizes[0], sizes[-1]}) if sizes else []
    drawn: dict[str, Figure] = {}
    if datasets:
        drawn["figure-4-curves"] = _curves(found, datasets, ends)
        drawn["figure-5-accuracy"] = _accuracy(lines, datasets)
        drawn["figure-6-updates"] = _updates(found, datasets[-1], ends)
        drawn["figure-7-densities"] = _densities(found, datasets[-1], sizes[-1])
        drawn["figure-8-sizes"] = _sizes(found, datasets, sizes)
        drawn["figure-9-edges"] = _edges(found, datasets, sizes[-1])
    paths = []
    for name, figure in drawn.items():
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=150)
    return paths


def _of(found: Found, network: str, data: str, neurons: int) -> Results:
    return [
        result
        for cell, result in found
        if (cell["network"], cell["data"], cell["neurons"]) == (network, data, neurons)
    ]


def _curves(found: Found, datasets: Sequence[str], sizes: Sequence[int]) -> Figure:
    panels = [(data, k) for data in datasets for k in sizes]
    figure, axes = panel_grid(len(panels), 2)
    for ax, (data, k) in zip(axes, panels, strict=True):
        for network, label, colour, style in _BOTH:
            curves = [100 * np.array(r["curve"]) for r in _of(found, network, data, k)]
            if not curves:
                continue
            length = min(map(len, curves))
            mean = np.mean([curve[:length] for curve in curves], axis=0)
            ax.plot(np.arange(1, length + 1), mean, style, color=colour, label=label)
            epoch_axis(ax, [1, length])
        title(ax, f"{_TITLES[data]}, {k} neurons")
        ax.set_ylabel("validation accuracy (%)")
        legend(ax, loc="lower right")
    return figure


def _accuracy(lines: Sequence[Line], datasets: Sequence[str]) -> Figure:
    figure, axes = panel_grid(len(datasets), 2)
    for ax, data in zip(axes, datasets, strict=True):
        rows = [line for line in lines if line.data == data]
        sizes = [line.neurons for line in rows]
        for ours, paper, (_, label, colour, style) in zip(
            ([line.freenet for line in rows], [line.matched for line in rows]),
            ([line.paper_freenet for line in rows], [line.paper_matched for line in rows]),
            _BOTH,
            strict=True,
        ):
            mean, spread = np.array(ours).T
            ax.errorbar(sizes, mean, spread, fmt=f"o{style}", color=colour, label=label, capsize=3)
            ax.plot(sizes, paper, f"x{style}", color=colour, alpha=0.45, label=f"{label}, paper")
        title(ax, f"{_TITLES[data]}")
        ax.set_xlabel("neurons")
        ax.set_ylabel("test accuracy (%)")
        legend(ax, loc="lower right")
    return figure


def _updates(found: Found, data: str, sizes: Sequence[int]) -> Figure:
    figure, axes = panel_grid(len(sizes), 2)
    for ax, k in zip(axes, sizes, strict=True):
        results = _of(found, "freenet", data, k)
        for key, colour, sign in (("pruned", NEGATIVE, "s"), ("grown", POSITIVE, "^")):
            for number, result in enumerate(results):
                steps = [update["step"] for update in result["updates"]]
                counts = [update[key] for update in result["updates"]]
                label = key if number == 0 else None
                ax.plot(steps, counts, f"{sign}-", color=colour, alpha=0.7, ms=4, label=label)
        title(ax, f"{_TITLES[data]}, {k} neurons: edges per update")
        ax.set_xlabel("step")
        ax.set_ylabel("edges")
        ax.set_yscale("symlog", linthresh=1)
        ax.set_ylim(bottom=0)
        if results:
            legend(ax)
    return figure


def _densities(found: Found, data: str, neurons: int) -> Figure:
    figure, axes = panel_grid(2, 2)
    centres = (np.arange(BINS) + 0.5) / BINS
    results = _of(found, "freenet", data, neurons)
    for ax, key, what in zip(
        axes,
        ("ncim_of_edges", "ncam_of_others"),
        ("inactive together, pairs with an edge", "active together, pairs without one"),
        strict=True,
    ):
        for place, label, colour, style in (
            (0, "after the first epoch", FAINT, "--"),
            (-1, "after the last", INK, "-"),
        ):
            counts = np.zeros(BINS)
            for result in results:
                if result["densities"]:
                    counts += result["densities"][place][key]
            if counts.sum():
                ax.plot(centres, counts * BINS / counts.sum(), style, color=colour, label=label)
        title(ax, what)
        ax.set_xlabel("share of samples")
        ax.set_ylabel("density")
        if ax.lines:
            legend(ax)
    return figure


def _sizes(found: Found, datasets: Sequence[str], sizes: Sequence[int]) -> Figure:
    figure, axes = panel_grid(len(datasets), 2)
    for ax, data in zip(axes, datasets, strict=True):
        possible = [k * (k - 1) // 2 for k in sizes]
        final = [
            np.mean([r["edges"] for r in _of(found, "freenet", data, k)] or [np.nan]) for k in sizes
        ]
        ax.plot(sizes, possible, "s--", color=FAINT, label="at the start")
        ax.plot(sizes, final, "o-", color=INK, label="at the end")
        title(ax, _TITLES[data])
        ax.set_xlabel("neurons")
        ax.set_ylabel("edges between neurons")
        legend(ax, loc="upper left")
    return figure


def _edges(found: Found, datasets: Sequence[str], neurons: int) -> Figure:
    figure, axes = panel_grid(len(datasets), 2)
    for ax, data in zip(axes, datasets, strict=True):
        possible = neurons * (neurons - 1) // 2
        for result in _of(found, "freenet", data, neurons):
            steps = [0, *(update["step"] for update in result["updates"])]
            edges = [possible, *(update["edges"] for update in result["updates"])]
            ax.step(steps, edges, where="post", color=INK, alpha=0.7)
        ax.axhline(possible, color=FAINT, ls="--")
        title(ax, f"{_TITLES[data]}, {neurons} neurons, a line per seed")
        ax.set_xlabel("step")
        ax.set_ylabel("edges between neurons")
        ax.set_ylim(bottom=0)
    return figure


_BOTH = (("freenet", "FreeNet", INK, "-"), ("matched", "matched network", NEGATIVE, "--"))
