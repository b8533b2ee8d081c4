"""`Part`: one table or figure of the paper, what is run for it, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.figure import Figure

from nervure.reproduce.ledger import Cell
from nervure.reproduce.paired import mean_and_spread

DATASETS = ("codon", "activity", "facebook", "gas")
SIZES = (80, 100, 200, 300, 500, 1000, 3000)

Found = Sequence[tuple[Cell, Mapping[str, Any]]]


@dataclass(frozen=True)
class Configuration:
    """What all parts have in common.

    Attributes
    ----------
    datasets, sizes : tuple
        Of Table 1, and of the figures as far as they have the same axes.
    methods : tuple of str
        Those of Table 1; all if empty.
    seeds : int
        Of every cell; a seed is an initialisation, an order of samples and, in Table 1 and Figures
        2 and 8, a split into training and validation rows. The test rows are always the same, so
        spreads over seeds do not tell how much an error depends on them.
    trials : int
        Of the search of each method for each dataset and size, on validation rows alone.
    epochs : int
        Most of a training; each ends early where the validation error stops falling.
    seconds : float
        Time budget of one training, after which it is "over time".
    quick : bool
        Whether a part that has a small form of its own takes it.
    """

    datasets: tuple[str, ...] = DATASETS
    sizes: tuple[int, ...] = SIZES
    methods: tuple[str, ...] = ()
    seeds: int = 3
    trials: int = 8
    epochs: int = 30
    seconds: float = 600.0
    quick: bool = False


QUICK = Configuration(
    datasets=("codon", "gas"), sizes=(80, 100, 200), seeds=2, trials=2, epochs=6, seconds=20.0,
    quick=True,
)  # fmt: skip


@dataclass(frozen=True)
class TextTable:
    """A table as it is printed.

    Attributes
    ----------
    title : str
    columns : sequence of str
        The first names the rows.
    rows : sequence of sequence of str
        As wide as `columns`.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Outcome:
    """What a part comes to.

    Attributes
    ----------
    tables : sequence of TextTable
    sentences : sequence of str
        Findings in words, a line each.
    figures : mapping of str to Figure
        By file name without ending, such as ``figure-4``.
    values : mapping
        The same as JSON, unrounded, None for what is no number.
    """

    tables: Sequence[TextTable] = ()
    sentences: Sequence[str] = ()
    figures: Mapping[str, Figure] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


Stage = Callable[[Configuration, Found], Sequence[Cell]]


@dataclass(frozen=True)
class Part:
    """One table or figure of the paper.

    Attributes
    ----------
    name : str
        As the command takes it, such as ``figure-4``.
    about : str
        What it shows, in a line.
    stages : sequence of callable (configuration, found) -> cells
        Run one after the other; each is given what the ledger holds of this part by then. A cell is
        JSON, holds ``"part": name`` and every setting its result depends on, and nothing else.
    run : callable (cell) -> result
        Importable by name, since other processes call it; the result is strict JSON.
    outcome : callable (configuration, found) -> Outcome
        Of the cells of this configuration that have been run.
    timed : bool
        Whether cells are timings, which run one at a time with all threads.
    """

    name: str
    about: str
    stages: Sequence[Stage]
    run: Callable[[Cell], dict[str, Any]]
    outcome: Callable[[Configuration, Found], Outcome]
    timed: bool = False


def spread(values: Sequence[float], digits: int = 2, scale: float = 1.0) -> str:
    """Write mean and sample standard deviation, "-" for nothing."""
    if not values:
        return "-"
    mean, deviation = mean_and_spread(values)
    if len(values) == 1:
        return f"{scale * mean:.{digits}f}"
    return f"{scale * mean:.{digits}f} ± {scale * deviation:.{digits}f}"
