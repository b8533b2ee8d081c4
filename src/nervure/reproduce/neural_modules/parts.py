"""All parts, in the order in which they are run."""

from __future__ import annotations

from nervure.reproduce.neural_modules import figure_9, figure_11, table_1
from nervure.reproduce.neural_modules.part import Part

PARTS: dict[str, Part] = {part.name: part for part in (table_1.PART, figure_9.PART, figure_11.PART)}
