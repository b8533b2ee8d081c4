"""Graphs as points, coloured by group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from nervure.report.module_colours import module_colour
from nervure.report.style import FAINT, PAPER, legend, new_figure, title
from nervure.report.threshold_curves import MARKERS


def embedding_scatter(xy: npt.ArrayLike, groups: Sequence[str], *, method: str = "UMAP") -> Figure:
    """Draw an embedding of graphs, a colour and a shape for each group.

    Parameters
    ----------
    xy : array_like of float, shape (graphs, 2)
        From `nervure.measures.embedding`.
    groups : sequence of str
        Group of each graph.
    method : str
        What made the embedding, for the title.

    Returns
    -------
    Figure

    Notes
    -----
    Paper: connectivity-tradeoff, Figure 8.

    Examples
    --------
    >>> figure = embedding_scatter([[0, 0], [1, 1], [1, 0]], ["a", "b", "b"])
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['a (1)', 'b (2)']
    """
    points = np.asarray(xy, dtype=np.float64)
    if points.shape != (len(groups), 2):
        raise ValueError(
            f"xy must have shape ({len(groups)}, 2), a row per group name, not {points.shape}"
        )
    figure, (ax,) = new_figure(5.4)
    for place, name in enumerate(dict.fromkeys(groups)):
        mine = points[[group == name for group in groups]]
        ax.plot(
            mine[:, 0], mine[:, 1], MARKERS[place % len(MARKERS)], linestyle="none", markersize=7,
            markerfacecolor=module_colour(place), markeredgecolor=PAPER, markeredgewidth=0.7,
            label=f"{name} ({len(mine)})",
        )  # fmt: skip
    # Neither axes nor units of an embedding mean anything.
    ax.set_xticks([])
    ax.set_yticks([])
    ax.margins(0.06)
    ax.spines[:].set_visible(True)
    ax.spines[:].set_color(FAINT)
    ax.set_aspect("equal", adjustable="datalim")
    legend(ax, loc="center left", bbox_to_anchor=(1.0, 0.5))
    title(ax, f"{len(points)} graphs by their measures ({method})")
    return figure
