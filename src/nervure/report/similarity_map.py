"""How alike graphs are, all with all, as a map."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure

from nervure.report.style import FAINT, INK, PAPER, POSITIVE, new_figure, title

_HEIGHT = 6.2  # inches
_NUMBERED = 8  # rows; above, numbers do not fit into the cells
# From clear to blue, so that it does for light and dark pages.
_SHADES = LinearSegmentedColormap.from_list(
    "alike", [to_rgba(POSITIVE, 0.0), to_rgba(POSITIVE, 1.0)]
)


def similarity_map(
    values: npt.ArrayLike, groups: Sequence[str], *, label: str = "similarity"
) -> Figure:
    """Draw a matrix of similarities in 0..1, with the names of groups of rows along both sides.

    Parameters
    ----------
    values : array_like of float, shape (rows, rows)
        From `nervure.measures.similarity` or `edge_overlap_matrix`; nan stays white.
    groups : sequence of str
        Group of each row. Rows of a group should stand together; a line separates neighbours of
        different groups.
    label : str
        What the shades mean.

    Returns
    -------
    Figure

    Notes
    -----
    Paper: connectivity-tradeoff, Figures 4 and 7.

    Examples
    --------
    >>> figure = similarity_map([[1, 0.2], [0.2, 1]], ["easy", "hard"])
    >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
    ['easy', 'hard']
    """
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape != (len(groups),) * 2 or not len(groups):
        raise ValueError(
            f"values must have shape ({len(groups)}, {len(groups)}), a row and a column per name "
            f"in groups, not {matrix.shape}"
        )
    figure, (ax,) = new_figure(_HEIGHT)
    image = ax.imshow(matrix, cmap=_SHADES, vmin=0, vmax=1, interpolation="nearest")
    _name_groups(ax, groups)
    if len(groups) <= _NUMBERED:
        for (row, column), value in np.ndenumerate(matrix):
            if np.isfinite(value):
                ax.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=9,
                        color=PAPER if value > 0.6 else INK)  # fmt: skip
    bar = figure.colorbar(image, ax=ax, shrink=0.6, pad=0.02)
    bar.set_label(label, color=INK, size=10)
    bar.ax.tick_params(colors=INK, labelsize=9)
    bar.outline.set_edgecolor(FAINT)
    title(ax, f"{len(groups)} graphs, all with all")
    return figure


def _name_groups(ax: Axes, groups: Sequence[str]) -> None:
    runs = [(name, len(list(rows))) for name, rows in groupby(groups)]
    sizes = np.array([size for _, size in runs])
    ends = np.cumsum(sizes)
    centres = ends - (sizes + 1) / 2
    names = [name for name, _ in runs]
    ax.set_xticks(centres, names, rotation=30 if max(map(len, names)) > 6 else 0, ha="center")
    if max(map(len, names)) > 6:
        for text in ax.get_xticklabels():
            text.set(ha="right", rotation_mode="anchor")
    ax.set_yticks(centres, names)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(True)
    ax.spines[:].set_color(FAINT)
    for end in ends[:-1] - 0.5:
        ax.axhline(end, color=INK, linewidth=0.8)
        ax.axvline(end, color=INK, linewidth=0.8)
