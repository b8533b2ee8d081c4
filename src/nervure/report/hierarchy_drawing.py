"""A hierarchy drawn: modules as boxes, arrows to those that read them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from numpy.typing import NDArray

from nervure.modules import Hierarchy, Module, formula_lines
from nervure.report.module_colours import ink_on, module_colour
from nervure.report.modules_layout import Box, Key, hierarchy_layout
from nervure.report.style import FAINT, INK, PAPER, WIDTH, new_figure, title
from nervure.report.words import plural

_LABELLED = 40  # arrows; above, numbers on them cover each other
_SMALLEST = 0.75  # scale of the boxes and of what is written in them
_NARROW, _WIDE = 1.35, 2.6  # inches; boxes with formulas are as wide as these need, within limits
_ENDS = (1.15, 0.5)  # inches; boxes of inputs and of outputs
_FACTS, _FORMULA, _NAME = 7.5, 9.0, 10.5  # points
_LINE = 0.135  # inches
_LETTER = 0.075  # inches of a letter of a formula, on average
_MOST_LINES = 6  # of formulas in a box
_END_LETTERS, _END_LINES = 17, 3  # what a box of names holds


def hierarchy_drawing(hierarchy: Hierarchy) -> Figure:
    """Draw modules as boxes, with arrows to those that read them.

    Inputs stand at the left, outputs at the right, and arrows lead to the right. A number on an
    arrow says how many edges of the network it stands for. A box holds the formulas of the units
    that leave its module, where the hierarchy has them; those of outputs that are alike as one.

    Parameters
    ----------
    hierarchy : Hierarchy

    Returns
    -------
    Figure

    Examples
    --------
    >>> from nervure import Topology
    >>> from nervure.modules import detect_modules
    >>> found = detect_modules(Topology.from_edges([(0, 2), (1, 3)]))
    >>> hierarchy_drawing(Hierarchy.from_detection(found)).axes[0].get_title(loc="left")
    '2 modules'
    """
    contents = {module.name: _Content.of(module) for module in hierarchy.modules}
    widths = [max(contents[m.name].size[0] for m in level) for level in hierarchy.levels]
    # Boxes of a column are equally wide, so that arrows to all of them have the same room.
    sizes: dict[str | Key, tuple[float, float]] = {
        ("module", m.name): (widths[m.level], contents[m.name].size[1]) for m in hierarchy.modules
    }
    sizes |= {"inputs": _ENDS, "outputs": _ENDS, "way": (0.0, 0.1)}
    # Columns share what is left of the page's width; a deep hierarchy is drawn smaller, down to
    # what can be read, and then wider than the page.
    left = WIDTH - 0.3 - 2 * _ENDS[0] - sum(widths)
    layout = hierarchy_layout(
        hierarchy, sizes, (float(np.clip(left / (len(widths) + 1), 0.5, 1.4)), 0.22)
    )
    boxes = list(layout.boxes.values())
    low, high = (min(b.y - b.height / 2 for b in boxes), max(b.y + b.height / 2 for b in boxes))
    right = max(b.x + b.width / 2 for b in boxes)
    scale = float(np.clip((WIDTH - 0.3) / right, _SMALLEST, 1.0))
    width = max(WIDTH, scale * right + 0.3)
    figure, (ax,) = new_figure(scale * (high - low + 0.7) + 0.5)
    figure.set_figwidth(width)
    ax.set_axis_off()
    ax.set_aspect("equal")
    spare = ((width - 0.2) / scale - right) / 2
    ax.set_xlim(-spare, right + spare)
    ax.set_ylim(low - 0.1, high + 0.6)
    number = len(layout.lines) <= _LABELLED
    for _, _, edges, points in layout.lines:
        _draw_arrow(ax, points, scale, edges if number else 0)
    for i, module in enumerate(hierarchy.modules):
        box = layout.boxes["module", module.name]
        _draw_module(ax, box, module.name, contents[module.name], module_colour(i), scale)
        inputs, outputs, _ = hierarchy.names_of(module)
        for kind, names in (("inputs", inputs), ("outputs", outputs)):
            if names:
                _draw_names(ax, layout.boxes[kind, module.name], kind, names, scale)
    for kind in ("inputs", "outputs"):
        places = [b.x for key, b in layout.boxes.items() if key[0] == kind]
        if places:
            ax.text(places[0], high + 0.3, kind, ha="center", va="center", color=FAINT,
                    fontsize=9 * scale)  # fmt: skip
    text = plural(len(hierarchy.modules), "module")
    if number and any(edges for _, _, edges, _ in layout.lines):
        text += "; numbers count the edges of the network that an arrow stands for"
    if any("*" in line for content in contents.values() for line in content.formulas):
        text += "\n* a unit with more or fewer values than two; 1 stands for above 0"
    title(ax, text)
    return figure


@dataclass(frozen=True)
class _Content:
    """What is written in a module's box, below its name."""

    facts: tuple[str, ...]
    formulas: tuple[str, ...]

    @classmethod
    def of(cls, module: Module) -> _Content:
        first, last = module.layers[0], module.layers[-1]
        where = f"layer {first}" if first == last else f"layers {first} to {last}"
        formulas: list[str] = []
        for line in formula_lines(module.formulas, full=False, shown=2):
            letters = int((_WIDE - 0.2) / _LETTER)
            formulas += textwrap.wrap(line, letters, subsequent_indent="  ")
        if len(formulas) > _MOST_LINES:
            formulas = [*formulas[: _MOST_LINES - 1], "..."]
        units = plural(len(module.nodes), "unit")
        if formulas:
            return cls((f"{units}, {where}",), tuple(formulas))
        used = [f"read by {len(module.feeds)} modules"] if len(module.feeds) > 1 else []
        return cls((units, where, *used), ())

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the box, in inches."""
        letters = max((len(line) for line in self.formulas), default=0)
        lines = max(3, len(self.facts) + len(self.formulas))
        width = float(np.clip(_LETTER * letters + 0.2, _NARROW, _WIDE))
        return width, 0.345 + _LINE * lines + (0.06 if self.formulas else 0.0)


def _draw_arrow(ax: Axes, points: NDArray[np.float64], scale: float, edges: int) -> None:
    corners, codes = [points[0]], [Path.MOVETO]
    for a, b in pairwise(points):
        # Level at both ends, so that it leaves and enters boxes straight.
        bend = np.array([(b[0] - a[0]) / 2, 0.0])
        corners += [a + bend, b - bend, b]
        codes += [Path.CURVE4] * 3
    ax.add_patch(
        FancyArrowPatch(
            path=Path(corners, codes), arrowstyle="-|>", mutation_scale=11 * scale, color=INK,
            linewidth=0.9 * scale, zorder=1,
        )
    )  # fmt: skip
    if edges:
        # On the curve near its end, where lines that cross are apart again.
        x, y = (np.array([0.027, 0.189, 0.441, 0.343]) @ np.array(corners[-4:])).tolist()
        ax.text(x, y, f"{edges:,}", ha="center", va="center", fontsize=8 * scale, color=INK,
                bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.8}, zorder=2)  # fmt: skip


def _draw_module(
    ax: Axes, box: Box, name: str, content: _Content, colour: str, scale: float
) -> None:
    _draw_box(ax, box, colour, "none")
    ink = ink_on(colour)
    y = box.y + box.height / 2 - 0.14
    ax.text(box.x, y, name, ha="center", va="center", zorder=4, weight="bold",
            fontsize=_NAME * scale, color=ink)  # fmt: skip
    lines = [(line, _FACTS) for line in content.facts]
    lines += [(line, _FORMULA) for line in content.formulas]
    room = box.height - 0.24
    step = min(0.15, room / (len(lines) + 0.3))
    y = box.y - 0.1 + step * (len(lines) - 1) / 2
    for line, size in lines:
        ax.text(box.x, y, line, ha="center", va="center", zorder=4, fontsize=size * scale,
                color=ink)  # fmt: skip
        y -= step


def _draw_names(ax: Axes, box: Box, kind: str, names: tuple[str, ...], scale: float) -> None:
    _draw_box(ax, box, PAPER, FAINT)
    text = "\n".join(_name_lines(kind, names))
    ax.text(box.x, box.y, text, ha="center", va="center", zorder=4, fontsize=8 * scale, color=INK)


def _name_lines(kind: str, names: Sequence[str]) -> list[str]:
    """All names where they fit; else how many there are, the first and the last."""
    whole = [name.replace(" ", "\N{NO-BREAK SPACE}") for name in names]
    lines = textwrap.wrap(", ".join(whole), _END_LETTERS, break_long_words=False)
    if len(lines) <= _END_LINES and max(map(len, lines)) <= _END_LETTERS:
        return lines
    if len(names) == 1:
        return [_cut(names[0], _END_LETTERS)]
    first, last = (_cut(name, _END_LETTERS - 4) for name in (names[0], names[-1]))
    ends = [f"{first} to {last}"] if len(first + last) < _END_LETTERS - 3 else [first, f"to {last}"]
    return [f"{len(names):,} {kind}", *ends]


def _cut(name: str, letters: int) -> str:
    """Cut a name in its middle: names of a kind often differ at their ends."""
    if len(name) <= letters:
        return name
    tail = (letters - 1) // 2
    return f"{name[: letters - 1 - tail]}…{name[-tail:]}"


def _draw_box(ax: Axes, box: Box, fill: str, edge: str) -> None:
    ax.add_patch(
        FancyBboxPatch(
            (box.x - box.width / 2, box.y - box.height / 2), box.width, box.height,
            boxstyle="round,pad=0,rounding_size=0.08", facecolor=fill, edgecolor=edge, zorder=3,
        )
    )  # fmt: skip
