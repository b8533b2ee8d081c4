"""Figure 10: how likely a node joins a module, and the time of a step against module size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from nervure.reproduce.ledger import Cell
from nervure.reproduce.neural_modules.codon import COMMON, modules_training
from nervure.reproduce.neural_modules.independent_modules import (
    acyclic_part,
    layer_of,
    random_module,
    seconds_by_threads,
    step_of,
)
from nervure.reproduce.neural_modules.merge_counts import MergeCounts
from nervure.reproduce.neural_modules.merging_outcome import RANDOM, TRAINING, merging_outcome
from nervure.reproduce.neural_modules.module_size_outcome import sizes_outcome
from nervure.reproduce.neural_modules.part import Configuration, Found, Part
from nervure.topology import Topology

# Without NM regularisation, at the paper's alpha and at ten times that: the stronger, the smaller
# are modules, and together they cover sizes from 2 to about 90.
_ALPHAS = (0.0, 0.001, 0.01)
# Divisors of the number of nodes; 1 is a network without cycles.
_MODULE_SIZES = (1, 5, 10, 20, 30, 60, 100, 150, 300)
_QUICK_MODULE_SIZES = (1, 5, 30, 300)
_NODES = 1200
_DEGREE = 4


def merging_cells(configuration: Configuration, _: Found) -> Sequence[Cell]:
    """List the trainings whose graphs are looked at, step by step, and random graphs beside them.

    Notes
    -----
    A node outside a module is one that has not joined it: of an edge in and an edge out it has one
    at most. Random graphs, whose edges are independent, show what that alone does to the count.
    """
    quick = configuration.quick
    nodes = 60 if quick else 200
    random = {
        "part": "figure-10a", "kind": RANDOM, "nodes": nodes, "keep": 2 * nodes,
        "graphs": 300 if quick else 3000, "seed": 0,
    }  # fmt: skip
    return [random] + [
        {
            "part": "figure-10a", "kind": TRAINING, **COMMON, "epochs": configuration.epochs,
            "rows": 2000 if quick else None, "nodes": nodes, "keep": 2 * nodes,
            "penalty": "repulsion", "alpha": alpha, "seed": seed,
        }
        for alpha in _ALPHAS
        for seed in range(configuration.seeds)
    ]  # fmt: skip


def run_merging(cell: Cell) -> dict[str, Any]:
    """Count who has an edge into which module, in the graph of every step or in random graphs.

    Parameters
    ----------
    cell : mapping
        As from `merging_cells`.

    Returns
    -------
    dict
        graphs (that were counted), theta (share of the possible edges that is not kept) and sizes
        (as `MergeCounts` gives them).
    """
    counts = MergeCounts(cell["seed"])
    nodes, keep = cell["nodes"], cell["keep"]
    if cell["kind"] == RANDOM:
        generator = np.random.default_rng(cell["seed"])
        for _ in range(cell["graphs"]):
            counts.add(Topology.erdos_renyi(nodes, edges=keep, seed=generator))
    else:
        training = modules_training(cell, lambda network: counts.add(network.topology))
        while not training.done:
            training.epoch()
    theta = 1 - keep / (nodes * (nodes - 1))
    return {"graphs": counts.graphs, "theta": theta, "sizes": counts.lines()}


def size_cells(configuration: Configuration, _: Found) -> Sequence[Cell]:
    """List the networks that are timed: all of as many nodes, with as many edges into each.

    Notes
    -----
    Modules of one node cannot have edges and be independent: in their place is a network without
    cycles, in parts of 300 nodes with as many edges. With another number of threads all are timed
    again.
    """
    quick = configuration.quick
    return [
        {
            "part": "figure-10b", "nodes": _NODES, "module": size, "degree": _DEGREE,
            "batch": 128, "seed": seed, "repeats": 3 if quick else 11,
            "threads": torch.get_num_threads(),
        }
        for seed in range(configuration.seeds)
        for size in (_QUICK_MODULE_SIZES if quick else _MODULE_SIZES)
    ]  # fmt: skip


def run_size(cell: Cell) -> dict[str, Any]:
    """Time a step on a network of independent modules of one size.

    Parameters
    ----------
    cell : mapping
        As from `size_cells`.

    Returns
    -------
    dict
        seconds (median of forward and backward), edges and sweeps (the most that a sample needs in
        any module; 0 without cycles).
    """
    generator = np.random.default_rng(cell["seed"])
    if cell["module"] == 1:
        size = max(_MODULE_SIZES)
        modules = [
            acyclic_part(size, cell["degree"], generator) for _ in range(cell["nodes"] // size)
        ]
    else:
        modules = [
            random_module(cell["module"], cell["degree"], generator)
            for _ in range(cell["nodes"] // cell["module"])
        ]
    layer = layer_of(modules, cell["seed"])
    step = step_of(layer, cell["batch"], cell["seed"])
    seconds = seconds_by_threads(step, {"all": cell["threads"]}, cell["repeats"])["all"]
    assert layer.status is not None
    return {
        "seconds": seconds,
        "edges": layer.topology.num_edges,
        "sweeps": layer.status.sweeps,
    }


MERGING = Part(
    name="figure-10a",
    about="merge probability: edges from outside into modules, against 1 - theta^q",
    stages=(merging_cells,),
    run=run_merging,
    outcome=merging_outcome,
)
SIZES = Part(
    name="figure-10b",
    about="time of a step against the mean size of modules",
    stages=(size_cells,),
    run=run_size,
    outcome=sizes_outcome,
    timed=True,
)
