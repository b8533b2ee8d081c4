"""Networks as one Python file that needs NumPy and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from nervure.engine.activations import NAMES
from nervure.errors import ExportError
from nervure.export.node_graph import NodeGraph, node_graph
from nervure.export.schedule import Edges, Level, Step, schedule
from nervure.export.signature import Signature
from nervure.export.writing import write_file

# A file of so many numbers takes about 3 MB, and an editor still opens it.
MOST_WEIGHTS = 200_000
DEFAULT_TOLERANCE = 1e-9
# As in ONNX: the tolerance is tighter than that of the network.
_MORE_SWEEPS = 4
_ON_A_LINE = 10
_MARK = "# -- the network ends here"

_HEADER = '''"""{kind} with {weights:,} weights, as nervure {version} wrote it. It needs NumPy only.

    python {name} < rows.csv

reads rows of {features:,} numbers, separated by commas, with or without a line of names, and
prints predictions as CSV. They are the features that the network was trained on: encoded and
scaled, as `nervure predict` does by itself. From Python:

    from {stem} import predict
    predict(x)

{computed}
"""
'''


def to_numpy(
    network: nn.Module,
    path: str | PathLike[str],
    *,
    signature: Signature | None = None,
    tolerance: float = DEFAULT_TOLERANCE,
    max_sweeps: int | None = None,
    most_weights: int = MOST_WEIGHTS,
) -> None:
    """Write a network as a Python file with a function ``predict``, entirely or not at all.

    Parameters
    ----------
    network : GraphLayer, NeuralModules, GraphLinear, FreeNet, SparseMLP or PlainNetwork
        It is not changed.
    path : path
        Replaced in one step if it exists.
    signature : Signature, optional
        Names of features and classes, for the file.
    tolerance : float
        On the largest change of a sweep of cycles, relative to max(1, largest value); the file
        computes in double precision.
    max_sweeps : int, optional
        After so many, and as many accelerated ones, rows that have not settled are an error. Four
        times the limit of the network by default.
    most_weights : int
        Larger networks are refused.

    Raises
    ------
    ExportError
        If the network is of another kind or too large, an option is out of range, or the file
        cannot be written.

    Notes
    -----
    Weights are written in as many digits as give back their float32 exactly. Cycles are swept
    and accelerated as the engine does it, without its other solvers.
    """
    from nervure import __version__

    if not 0 < tolerance < 1:
        raise ExportError(f"tolerance: expected between 0 and 1, got {tolerance}")
    if max_sweeps is not None and max_sweeps < 1:
        raise ExportError(f"max_sweeps: expected at least 1, got {max_sweeps}")
    graph, path = node_graph(network), Path(path)
    if graph.num_weights > most_weights:
        raise ExportError(
            f"the network has {graph.num_weights:,} weights and biases, a NumPy file at most "
            f"{most_weights:,}; export to ONNX, or raise most_weights"
        )
    steps = schedule(graph)
    cyclic = any(not isinstance(step, Level) for step in steps)
    header = _HEADER.format(
        kind=graph.kind,
        weights=graph.num_weights,
        version=__version__,
        name=path.name if path.stem.isidentifier() else "FILE",
        stem=path.stem if path.stem.isidentifier() else "FILE",
        features=graph.features,
        computed="Cycles are swept by Gauss-Seidel until they are still, after 50 sweeps with\n"
        "Anderson acceleration; the rest is exact."
        if cyclic
        else "There are no cycles: it is exact.",
    )
    limit = _MORE_SWEEPS * graph.max_sweeps if max_sweeps is None else max_sweeps
    numbers = _assignments(graph, steps, signature or Signature(), tolerance, limit)
    template = resources.files("nervure.export").joinpath("standalone.py").read_text("utf-8")
    code = template[template.index(_MARK) :]
    imports = template[template.index("import csv") : template.index("FEATURES = ")]
    text = "".join((header, "\n", imports, numbers, code))
    write_file(path, text.encode())


def _assignments(
    graph: NodeGraph,
    steps: tuple[Step, ...],
    signature: Signature,
    tolerance: float,
    max_sweeps: int,
) -> str:
    """Write the numbers of a network as Python, in the order of the template."""
    number = np.full(graph.topology.num_nodes, -1)
    order = np.concatenate([np.arange(0), *(step.nodes for step in steps)])
    number[order] = np.arange(len(order))
    edges = _EdgeList()
    described = [edges.step(step, number) for step in steps]
    driven = number[graph.topology.inputs]
    places = np.array([-1 if node < 0 else number[node] for node in graph.places], dtype=np.int64)
    if not len(places):
        # A decoder of nothing: all outputs are constant.
        places = np.full(graph.outputs, -1)
    values: dict[str, object] = {
        "FEATURES": graph.features,
        "OUTPUTS": graph.outputs,
        "LEAK": graph.leak,
        "TOLERANCE": tolerance,
        "MAX_SWEEPS": max_sweeps,
        "TASK": signature.task,
        "FEATURE_NAMES": list(signature.feature_names),
        "CLASS_NAMES": list(signature.class_names),
        "TARGET_MEAN": signature.target_mean,
        "TARGET_STD": signature.target_std,
        "STEPS": described,
    }
    texts = {
        "SOURCES": _integers(edges.sources),
        "TARGETS": _integers(edges.targets),
        "WEIGHTS": _floats(edges.weights),
        "BIAS": _floats([graph.bias[order]]),
        "DRIVEN": _integers([driven]),
        "COLUMNS": _integers([graph.columns]),
        "ENCODER": _floats([] if graph.encoder is None else [graph.encoder]),
        "PLACES": _integers([places]),
        "DECODER": _floats([] if graph.decoder is None else [graph.decoder]),
        "OUTPUT_BIAS": _floats([graph.output_bias]),
    }
    lines = [f"{name} = {value!r}\n" for name, value in values.items()]
    lines += [f'{name} = """\n{text}\n"""\n' for name, text in texts.items()]
    return "".join(lines)


class _EdgeList:
    """Edges of all steps, one after the other, their nodes as the file numbers them."""

    def __init__(self) -> None:
        self.sources: list[NDArray[np.int64]] = []
        self.targets: list[NDArray[np.int64]] = []
        self.weights: list[NDArray[np.float64]] = []
        self._count = 0

    def step(self, step: Step, number: NDArray[np.int64]) -> dict[str, Any]:
        """Add the edges of a step, and describe it."""
        nodes = number[step.nodes]
        said: dict[str, Any] = {"first": int(nodes.min()), "last": int(nodes.max()) + 1}
        if isinstance(step, Level):
            edges = self._add([(step.edges, number[step.edges.sources], nodes)])
            return said | {"activation": NAMES[step.code], "edges": edges}
        # Positions in the cycle stand for nodes that have numbers one after the other.
        entering = [
            (part.edges, number[part.edges.sources], number[part.nodes]) for part in step.entering
        ]
        said["edges"] = self._add(entering)
        said["back"] = self._add([(step.back, nodes[step.back.sources], nodes)])
        return said | {"levels": [self.step(level, nodes) for level in step.levels]}

    def _add(
        self, parts: Iterable[tuple[Edges, NDArray[np.int64], NDArray[np.int64]]]
    ) -> list[int]:
        first = self._count
        for edges, sources, targets in parts:
            self.sources.append(sources[edges.rows])
            self.targets.append(targets[edges.columns])
            self.weights.append(edges.weights)
            self._count += len(edges.weights)
        return [first, self._count]


def _integers(arrays: Iterable[NDArray[np.int64]]) -> str:
    return _wrapped(str(value) for array in arrays for value in array.tolist())


def _floats(arrays: Iterable[NDArray[np.float64]]) -> str:
    # Nine digits tell every float32 from its neighbours.
    singles = (array.astype(np.float32).reshape(-1).tolist() for array in arrays)
    return _wrapped(f"{value:.9g}" for single in singles for value in single)


def _wrapped(words: Iterable[str]) -> str:
    words = list(words)
    lines = (words[k : k + _ON_A_LINE] for k in range(0, len(words), _ON_A_LINE))
    return "\n".join(map(" ".join, lines))
