"""All tables of the sculpting paper that a ledger has results for."""

from __future__ import annotations

from dataclasses import dataclass

from nervure.reproduce.sculpting_image_tables import (
    ImageSuccess,
    ImageTrial,
    image_successes,
    image_trials,
)
from nervure.reproduce.sculpting_structure import Cover, Separation, covers, separations
from nervure.reproduce.sculpting_tables import (
    LevelSuccess,
    OverlapSuccess,
    RateLine,
    Success,
    level_successes,
    overlap_successes,
    rate_lines,
    successes,
)
from nervure.reproduce.sculpting_trials import Found
from nervure.reproduce.sculpting_variants import VariantSuccess, variant_successes


@dataclass(frozen=True)
class Report:
    """Lines of each table; none where nothing was run for it.

    Attributes
    ----------
    table_1 : list of Separation
    figures_2_to_4 : list of Cover
    figure_7, figure_8 : list of Success
    tables_2_3 : list of RateLine
    table_4 : list of VariantSuccess
    figure_10 : list of OverlapSuccess
    figure_12a : list of LevelSuccess
    figure_12b : list of Success
    image_trials : list of ImageTrial
    images : list of ImageSuccess
    """

    table_1: list[Separation]
    figures_2_to_4: list[Cover]
    figure_7: list[Success]
    tables_2_3: list[RateLine]
    table_4: list[VariantSuccess]
    figure_8: list[Success]
    figure_10: list[OverlapSuccess]
    figure_12a: list[LevelSuccess]
    figure_12b: list[Success]
    image_trials: list[ImageTrial]
    images: list[ImageSuccess]


def report_of(found: Found) -> Report:
    """Sum up what a ledger holds."""
    trials = image_trials(found)
    return Report(
        table_1=separations(found),
        figures_2_to_4=covers(found),
        figure_7=successes(found, "validation"),
        tables_2_3=rate_lines(found),
        table_4=variant_successes(found),
        figure_8=successes(found, "reuse"),
        figure_10=overlap_successes(found),
        figure_12a=level_successes(found),
        figure_12b=successes(found, "levels"),
        image_trials=trials,
        images=image_successes(trials),
    )
