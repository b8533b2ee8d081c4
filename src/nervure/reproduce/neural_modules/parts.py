"""All parts, in the order in which they are run."""

from __future__ import annotations

from nervure.reproduce.neural_modules import (
    figure_2,
    figure_3,
    figure_4,
    figure_8,
    figure_9,
    figure_10,
    figure_11,
    table_1,
    theory,
)
from nervure.reproduce.neural_modules.part import Part

PARTS: dict[str, Part] = {
    part.name: part
    for part in (
        table_1.PART,
        figure_2.PART,
        figure_3.PART,
        figure_4.PART,
        figure_8.PART,
        figure_9.PART,
        figure_10.MERGING,
        figure_10.SIZES,
        figure_11.PART,
        theory.PART,
    )
}
