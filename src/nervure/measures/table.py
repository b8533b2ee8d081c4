"""Many graphs, many measures: one table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from types import MappingProxyType
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from nervure.errors import TopologyError, UndefinedMeasureError
from nervure.measures.communicability import ln_communicability
from nervure.measures.cuts import edge_connectivity
from nervure.measures.degrees import Direction, degree_moments, mean_degree
from nervure.measures.elongation import pca_elongation
from nervure.measures.paths import log_paths, max_path, mean_path
from nervure.measures.stages import (
    checked_stages,
    density,
    num_nodes,
    sparsity,
    stage_nodes,
    stage_sparsity,
)
from nervure.measures.structure import (
    average_clustering,
    average_shortest_path,
    global_efficiency,
    max_betweenness,
    mean_betweenness,
    transitivity,
)
from nervure.topology import Topology

Measure: TypeAlias = Callable[[Topology], float]


def _moment(topology: Topology, direction: Direction, moment: int) -> float:
    return degree_moments(topology, direction)[moment]


# What takes no seed. Others are passed by hand: {"modularity": partial(modularity, seed=0)}.
MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "sparsity": sparsity,
        "nodes": num_nodes,
        "log_paths": log_paths,
        "mean_path": mean_path,
        "max_path": max_path,
        "ln_communicability": ln_communicability,
        "edge_connectivity": edge_connectivity,
        "mean_degree": mean_degree,
        "pca_elongation": pca_elongation,
        "density": density,
        "degree_variance": partial(_moment, direction="total", moment=1),
        "degree_skewness": partial(_moment, direction="total", moment=2),
        "in_degree_variance": partial(_moment, direction="in", moment=1),
        "in_degree_skewness": partial(_moment, direction="in", moment=2),
        "out_degree_variance": partial(_moment, direction="out", moment=1),
        "out_degree_skewness": partial(_moment, direction="out", moment=2),
        "transitivity": transitivity,
        "average_clustering": average_clustering,
        "mean_betweenness": mean_betweenness,
        "max_betweenness": max_betweenness,
        "global_efficiency": global_efficiency,
        "average_shortest_path": average_shortest_path,
    }
)
# Tables 1 and 2 of connectivity-tradeoff, apart from the number of parameters.
DEFAULT = tuple(MEASURES)[:9]


@dataclass(frozen=True, eq=False)
class MeasureTable:
    """Measures of graphs, a row per graph.

    Attributes
    ----------
    names : tuple of str
        One per row.
    columns : tuple of str
        One per measure.
    values : ndarray of float64, shape (rows, columns)
        nan where a measure has no value for a graph.
    seconds : ndarray of float64, shape (rows, columns)
        What each value took to compute. The columns of a stage share the time of all stages.
    """

    names: tuple[str, ...]
    columns: tuple[str, ...]
    values: npt.NDArray[np.float64]
    seconds: npt.NDArray[np.float64]

    def column(self, name: str) -> npt.NDArray[np.float64]:
        """Return the values of one measure, in the order of the rows."""
        if name not in self.columns:
            raise KeyError(f"no column {name!r}; there are {', '.join(self.columns)}")
        return self.values[:, self.columns.index(name)]

    def to_dict(self) -> dict[str, dict[str, float]]:
        """Return a mapping from names to a mapping from columns to values."""
        repeated = sorted({name for name in self.names if self.names.count(name) > 1})
        if repeated:
            raise ValueError(f"rows of the same name cannot be told apart: {', '.join(repeated)}")
        return {
            name: dict(zip(self.columns, row, strict=True))
            for name, row in zip(self.names, self.values.tolist(), strict=True)
        }

    def to_csv(self, path: str | Path | None = None) -> str:
        """Write the table as CSV, the names first; what is nan is left empty.

        Parameters
        ----------
        path : str or Path, optional
            Where to write it.

        Returns
        -------
        str
            The text, with values in full precision.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("name", *self.columns))
        for name, row in zip(self.names, self.values.tolist(), strict=True):
            writer.writerow((name, *("" if math.isnan(value) else repr(value) for value in row)))
        if path is not None:
            Path(path).write_text(text.getvalue(), encoding="utf-8")
        return text.getvalue()


def characterise(
    topologies: Sequence[Topology],
    names: Sequence[str] | None = None,
    stages: npt.ArrayLike | Sequence[npt.ArrayLike] | None = None,
    measures: Sequence[str] | Mapping[str, Measure] = DEFAULT,
) -> MeasureTable:
    """Measure graphs, every measure once for every graph.

    Parameters
    ----------
    topologies : sequence of Topology
    names : sequence of str, optional
        One per graph; by default "0", "1", ...
    stages : array_like of int, optional
        Stage of each node, the same for all graphs, or one such array per graph. Adds the columns
        "sparsity_stage_0", ..., "nodes_stage_0", ...
    measures : sequence of str, or mapping of str to callable
        Names in `MEASURES`, or functions of a topology under names of your own. By default
        `DEFAULT`, what Tables 1 and 2 of connectivity-tradeoff hold.

    Returns
    -------
    MeasureTable
        A measure that has no value for a graph (`UndefinedMeasureError`: paths in a graph with
        cycles, say) is nan there.

    Examples
    --------
    >>> from nervure.topology import dense_dag, layered
    >>> table = characterise([dense_dag(5), layered([1, 3, 1])], ["dag", "layers"])
    >>> table.column("mean_path").tolist()
    [2.5, 2.0]
    >>> table.to_dict()["layers"]["edge_connectivity"]
    3.0
    """
    rows = tuple(str(i) for i in range(len(topologies))) if names is None else tuple(names)
    if len(rows) != len(topologies):
        raise ValueError(f"names: expected {len(topologies)}, one per graph, got {len(rows)}")
    functions = _functions(measures)
    values = np.full((len(rows), len(functions)), np.nan)
    seconds = np.zeros_like(values)
    for i, topology in enumerate(topologies):
        for j, function in enumerate(functions.values()):
            begun = perf_counter()
            with suppress(UndefinedMeasureError):
                values[i, j] = function(topology)
            seconds[i, j] = perf_counter() - begun
    columns = tuple(functions)
    if stages is not None:
        staged, more, took = _by_stage(topologies, stages)
        columns += staged
        values, seconds = np.hstack((values, more)), np.hstack((seconds, took))
    return MeasureTable(rows, columns, values, seconds)


def _functions(measures: Sequence[str] | Mapping[str, Measure]) -> dict[str, Measure]:
    if isinstance(measures, Mapping):
        return dict(measures)
    unknown = [name for name in measures if name not in MEASURES]
    if isinstance(measures, str) or unknown:
        raise ValueError(
            f"measures: expected names among {', '.join(MEASURES)}, got "
            f"{measures if isinstance(measures, str) else ', '.join(map(repr, unknown))}"
        )
    return {name: MEASURES[name] for name in measures}


def _by_stage(
    topologies: Sequence[Topology], stages: npt.ArrayLike | Sequence[npt.ArrayLike]
) -> tuple[tuple[str, ...], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Columns of stages, their values and seconds."""
    given: list[Any] = list(cast("Any", stages))
    if all(np.ndim(stage) == 0 for stage in given):  # one array for all
        given = [given] * len(topologies)
    if len(given) != len(topologies):
        raise TopologyError(
            f"stages: expected one array, or {len(topologies)}, one per graph, got {len(given)}"
        )
    arrays = [checked_stages(s, t) for s, t in zip(given, topologies, strict=True)]
    count = max((int(a.max()) + 1 for a in arrays if len(a)), default=0)
    # A stage that a graph does not have holds no nodes and no possible edges.
    values = np.hstack((np.full((len(arrays), count), np.nan), np.zeros((len(arrays), count))))
    seconds = np.zeros_like(values)
    for i, (topology, stage) in enumerate(zip(topologies, arrays, strict=True)):
        begun = perf_counter()
        sparsities = stage_sparsity(topology, stage)
        between = perf_counter()
        nodes = stage_nodes(topology, stage)
        seconds[i, :count] = between - begun
        seconds[i, count:] = perf_counter() - between
        values[i, : len(sparsities)] = sparsities
        values[i, count : count + len(nodes)] = nodes
    columns = [f"{what}_stage_{k}" for what in ("sparsity", "nodes") for k in range(count)]
    return tuple(columns), values, seconds
