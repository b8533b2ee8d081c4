"""All parts, in the order in which they are run."""

from __future__ import annotations

from nervure.reproduce.neural_modules import (
    figure_2,
    figure_3,
    figure_8,
    figure_9,
    figure_11,
    table_1,
)
from nervure.reproduce.neural_modules.part import Part

PARTS: dict[str, Part] = {
    part.name: part
    for part in (
        table_1.PART,
        figure_2.PART,
        figure_3.PART,
        figure_8.PART,
        figure_9.PART,
        figure_11.PART,
    )
}
