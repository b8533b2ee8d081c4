"""The colours of modules, the same in all pictures of them."""

from __future__ import annotations

COLOURS = (
    "#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#e15759",
    "#76b7b2", "#9c755f", "#edc948", "#ff9da7", "#7f8c2f",
)  # fmt: skip


def module_colour(module: int) -> str:
    """Give the colour of a module by its place; beyond ten they repeat."""
    return COLOURS[module % len(COLOURS)]


def ink_on(colour: str) -> str:
    """Give black or white, whichever can be read on a colour."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 140 else "white"
