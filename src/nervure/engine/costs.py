"""What a run costs on each backend, estimated from a table of measured constants.

The time of a run is a sum of a few terms, each a count taken from the topology times a constant
measured in seconds. The package brings a table; `calibration` measures one for a machine.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from nervure.errors import EngineError
from nervure.folders import cache_folder, write_whole

_Ints = NDArray[np.int32]

PACKAGED = Path(__file__).with_name("costs.json")
DTYPES = ("float32", "float64")
MODES = ("inference", "training")
# The constants of each backend, in the order of `terms`.
CONSTANTS = {
    "native": ("call", "native_node", "native_edge", "native_panel_edge", "native_load"),
    "dense": ("call", "dense_level", "dense_node", "dense_cell", "dense_fill"),
    "csr": ("call", "csr_level", "csr_node", "csr_edge", "csr_load"),
}
# Another backend must win by this factor over native, whose results are bit for bit the same for
# any batch and any number of threads.
_MARGIN = 0.8
# Larger matrices (1 GiB in float32) are not formed behind the user's back.
_MOST_CELLS = 2**28


@dataclass(frozen=True)
class Workload:
    """Counts of a topology from which its costs follow.

    Attributes
    ----------
    nodes, edges, levels : int
    shared_edges : int
        Edges whose loads the native backend shares between nodes (``Program.shared_edges``).
    dense_cells : int
        Sum over levels of nodes times distinct sources; an upper bound for very deep graphs.
    acyclic : bool
    """

    nodes: int
    edges: int
    shared_edges: int
    levels: int
    dense_cells: int
    acyclic: bool


@dataclass(frozen=True)
class CostTable:
    """Measured constants.

    Attributes
    ----------
    rates : mapping
        ``rates[dtype][mode][constant]`` in seconds; modes are "inference" and "training" (a
        forward and an adjoint run), constants those of `CONSTANTS`. "call" is per call; "level"
        per level; "load" per edge, "fill" per cell of the matrices; the others per sample on one
        thread and node, edge or cell.
    threads : int
        Number of threads it was measured with.
    machine : str
    version : str
        Version of nervure that measured it.
    """

    rates: Mapping[str, Mapping[str, Mapping[str, float]]]
    threads: int
    machine: str
    version: str


def workload(indptr: _Ints, sources: _Ints, level: _Ints, shared_edges: int) -> Workload:
    """Count what a topology asks of each backend; O(nodes + edges).

    Parameters
    ----------
    indptr, sources : ndarray of int32, shapes (nodes + 1,) and (edges,)
        Incoming edges in CSR form.
    level : ndarray of int32, shape (nodes,)
        Longest-path depth of every node's component.
    shared_edges : int
        As in `Workload`.
    """
    nodes, edges = len(level), len(sources)
    if not nodes:
        return Workload(0, 0, 0, 0, 0, acyclic=True)
    degree = np.diff(indptr)
    target_level = np.repeat(level, degree).astype(np.int64)
    width = np.bincount(level).astype(np.int64)
    depth = len(width)
    if depth * nodes <= 16 * edges + 2**20:
        reached = np.zeros(depth * nodes, dtype=np.bool_)
        reached[target_level * nodes + sources] = True
        distinct = reached.reshape(depth, nodes).sum(1)
    else:
        entering = np.bincount(target_level, minlength=depth)
        distinct = np.minimum(entering, np.cumsum(width) - width)
    return Workload(
        nodes,
        edges,
        shared_edges,
        depth,
        int(width @ distinct),
        bool(np.all(level[sources] < target_level)),
    )


def terms(
    backend: str, work: Workload, batch: int, dtype: torch.dtype, threads: int
) -> list[float]:
    """Give the counts that the constants of a backend multiply, in the order of `CONSTANTS`."""
    if backend == "native":
        # Threads take whole chunks (of 128 bytes per node), full or not.
        lanes = 128 // dtype.itemsize
        samples = float(math.ceil(math.ceil(batch / lanes) / threads) * lanes)
        single = work.edges - work.shared_edges
        shared = work.shared_edges * samples
        return [1.0, work.nodes * samples, single * samples, shared, work.edges]
    samples = batch / threads
    if backend == "csr":
        return [1.0, work.levels, work.nodes * samples, work.edges * samples, work.edges]
    # Without an absent edge the weights already are the matrices.
    filled = work.dense_cells if work.dense_cells > work.edges else 0
    return [1.0, work.levels, work.nodes * samples, work.dense_cells * samples, filled]


def estimate(
    table: CostTable, work: Workload, batch: int, dtype: torch.dtype, threads: int, training: bool
) -> dict[str, float]:
    """Estimate the seconds of a run on each backend that can run the topology.

    Parameters
    ----------
    table : CostTable
    work : Workload
    batch, threads : int
    dtype : torch.dtype
        float32 or float64.
    training : bool
        Whether an adjoint run follows the forward run.

    Returns
    -------
    dict
        By backend: "native", and for acyclic graphs "dense" and "csr".
    """
    name = str(dtype).removeprefix("torch.")
    if name not in table.rates:
        raise EngineError(f"no costs are known for {dtype}, only for {', '.join(table.rates)}")
    rates = table.rates[name][MODES[training]]
    return {
        backend: sum(
            rates[constant] * term
            for constant, term in zip(
                constants, terms(backend, work, batch, dtype, threads), strict=True
            )
        )
        for backend, constants in CONSTANTS.items()
        if backend == "native" or work.acyclic
    }


def choose(
    work: Workload,
    batch: int,
    dtype: torch.dtype,
    threads: int,
    training: bool,
    table: CostTable | None = None,
) -> str:
    """Choose "native", "dense" or "csr" for a run on the CPU; arguments as in `estimate`.

    Without a table, the user's own or the packaged one is taken. Native keeps its place unless
    another backend is estimated to be faster by a fifth.
    """
    seconds = estimate(table or _default_table(), work, batch, dtype, threads, training)
    limit = _MARGIN * seconds["native"]
    if work.dense_cells > _MOST_CELLS:
        seconds.pop("dense", None)
    if not torch.backends.mkl.is_available():
        seconds.pop("csr", None)
    best = min(seconds, key=seconds.__getitem__)
    return best if seconds[best] < limit else "native"


def user_table_path() -> Path:
    """File of the user's own table: ``costs.json`` in the cache folder."""
    return cache_folder() / "costs.json"


def load_table(path: Path | str | None = None) -> CostTable:
    """Read a table; by default the user's own, else the packaged one.

    A user's table that is damaged or of another version of nervure is ignored with a warning.

    Raises
    ------
    EngineError
        If the table at `path` cannot be used.
    """
    if path is not None:
        return _read(Path(path))
    own = user_table_path()
    if own.is_file():
        from nervure import __version__

        try:
            table = _read(own)
            if table.version == __version__:
                return table
            problem = f"{own} was measured by nervure {table.version}, this is {__version__}"
        except EngineError as error:
            problem = str(error)
        warnings.warn(f"{problem}; the packaged table of costs is used", stacklevel=2)
    return _read(PACKAGED)


@cache
def _default_table() -> CostTable:
    return load_table()


def _read(path: Path) -> CostTable:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        constants = {name for names in CONSTANTS.values() for name in names}
        table = CostTable(
            {
                dtype: {
                    mode: {name: float(found["rates"][dtype][mode][name]) for name in constants}
                    for mode in MODES
                }
                for dtype in DTYPES
            },
            int(found["threads"]),
            str(found["machine"]),
            str(found["version"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"{path} is not a table of costs: {error!r}") from error
    values = [v for modes in table.rates.values() for m in modes.values() for v in m.values()]
    if not all(math.isfinite(v) and v >= 0 for v in values):
        raise EngineError(f"{path} is not a table of costs: a constant is negative or not finite")
    return table


def save_table(table: CostTable, path: Path | str | None = None) -> Path:
    """Write a table, by default as the user's own; returns where."""
    target = user_table_path() if path is None else Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(table), indent=2, sort_keys=True) + "\n"
    write_whole(target, text.encode())
    _default_table.cache_clear()
    return target
