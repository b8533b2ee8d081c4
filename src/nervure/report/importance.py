"""Figures of how much each feature matters to a network."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from nervure.errors import DataError
from nervure.report.style import FAINT, INK, POSITIVE, legend, new_figure, title

_MOST_BARS = 20
_LONGEST_NAME = 32  # characters
_COLOURED = 3  # axes of an image with colours


def fits_image(features: int, image_shape: Sequence[int]) -> bool:
    """Whether so many features are the pixels of (rows, columns) or (rows, columns, colours)."""
    return (
        len(image_shape) in (2, _COLOURED)
        and all(type(size) is int and size > 0 for size in image_shape)
        and math.prod(image_shape) == features
    )


def importance_image(importances: ArrayLike, image_shape: Sequence[int]) -> Figure:
    """Draw the importance of every pixel where it is in the image.

    Parameters
    ----------
    importances : array_like of float, shape (features,)
        Shares of 1, as the features are ordered: row by row, colours of a pixel together.
    image_shape : sequence of int
        Rows and columns, and colours if there are any, which are summed.

    Returns
    -------
    Figure

    Raises
    ------
    DataError
        If there are not as many importances as the image has values.
    """
    values = np.asarray(importances, dtype=np.float64)
    if not fits_image(values.size, image_shape):
        raise DataError(
            f"expected the importances of an image of {tuple(image_shape)}, got {values.size}"
        )
    image = 100 * values.reshape(image_shape)
    if image.ndim == _COLOURED:
        image = image.sum(axis=2)
    figure, (ax,) = new_figure(4.6)
    figure.set_layout_engine("compressed")  # keeps the scale beside the picture
    # From nothing to the colour: on any page, light or dark.
    strength = LinearSegmentedColormap.from_list(
        "importance", [to_rgba(POSITIVE, 0.0), to_rgba(POSITIVE, 1.0)]
    )
    drawn = ax.imshow(
        image, cmap=strength, vmin=0, vmax=max(float(image.max()), 1e-12), interpolation="nearest"
    )
    ax.spines[["top", "right"]].set_visible(True)
    ax.spines[["top", "right"]].set_color(FAINT)
    bar = figure.colorbar(drawn, ax=ax, shrink=0.8)
    bar.set_label("% of all importance", color=INK, size=10)
    bar.ax.tick_params(colors=INK, labelsize=9)
    bar.outline.set_edgecolor(FAINT)
    summed = ", colours summed" if len(image_shape) == _COLOURED else ""
    title(ax, f"Importance of each pixel{summed}")
    ax.set_xlabel("column")
    ax.set_ylabel("row")
    return figure


def importance_bars(importances: ArrayLike, names: Sequence[str]) -> Figure:
    """Draw the importance of the twenty strongest features.

    Parameters
    ----------
    importances : array_like of float, shape (features,)
        Shares of 1.
    names : sequence of str
        Of all features.

    Returns
    -------
    Figure

    Raises
    ------
    DataError
        If there are not as many importances as names.
    """
    values = 100 * np.asarray(importances, dtype=np.float64)
    if values.shape != (len(names),):
        raise DataError(f"expected {len(names)} importances, one per name, got {values.size}")
    strongest = np.argsort(-values, kind="stable")[:_MOST_BARS]
    figure, (ax,) = new_figure(1.0 + 0.24 * len(strongest))
    places = np.arange(len(strongest))
    ax.barh(places, values[strongest], 0.72, color=POSITIVE)
    ax.set_yticks(places, [_short(names[i]) for i in strongest])
    for label in ax.get_yticklabels():
        # A name is no formula, whatever dollars it holds.
        label.set_parse_math(False)
    ax.set_ylim(len(strongest) - 0.4, -0.6)
    ax.axvline(100 / max(1, len(values)), color=INK, linestyle=":", linewidth=1.4,
               label="if all mattered alike")  # fmt: skip
    ax.set_xlim(left=0)
    ax.set_xlabel("% of all importance")
    which = "All" if len(strongest) == len(values) else f"The {len(strongest)} strongest of"
    title(ax, f"{which} {len(values):,} features")
    legend(ax, loc="lower right")
    return figure


def _short(name: str) -> str:
    line = " ".join(name.split())
    return line if len(line) <= _LONGEST_NAME else f"{line[: _LONGEST_NAME - 2]} …"
