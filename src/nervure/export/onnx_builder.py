"""An ONNX graph as it is put together: operators, constants, and columns of values."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nervure.errors import ExportError
from nervure.export.node_graph import Ints
from nervure.export.schedule import Edges
from nervure.optional import install, require

# Gelu has an operator from 20 on; without it older runtimes can run the file.
OPSET = 17
# The version of the format that came with that set of operators.
IR_VERSION = 8
# Matrices of fewer cells are written with their zeros.
_SMALL = 2**16
# Below this share of cells the zeros are left out: an edge takes 8 bytes, a cell 4.
_SPARSE = 0.25
# A file of the format can be no larger.
_MOST_BYTES = 2**31 - 2**20
# Pieces a node's sources may be gathered from before these are joined for good.
_MOST_PIECES = 8


def import_onnx() -> Any:  # noqa: ANN401 - the package carries no types for its helpers
    """Import onnx.

    Raises
    ------
    MissingDependencyError
        When it is not installed.
    """
    how = f"{install('onnx')}; the exports numpy, torch, graphml and json need nothing"
    return require("onnx", "writing ONNX files", how)


class Builder:
    """Collects the operators of a graph, or of the body of a loop inside of one.

    Parameters
    ----------
    outer : Builder, optional
        Of the graph around this one: constants, and names, are its.
    """

    def __init__(self, outer: Builder | None = None) -> None:
        self.onnx: Any = import_onnx() if outer is None else outer.onnx
        self.root: Builder = self if outer is None else outer.root
        self.operators: list[Any] = []
        self.constants: list[Any] = []
        self._count = 0
        self._bytes = 0
        self._known: dict[tuple[object, ...], str] = {}

    def name(self, kind: str) -> str:
        """Make a name that is not taken."""
        self.root._count += 1
        return f"{kind}_{self.root._count}"

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401
        """Add an operator of one output, and name that."""
        return self.add_many(kind, inputs, 1, **attributes)[0]

    def add_many(
        self,
        kind: str,
        inputs: tuple[str, ...],
        outputs: int,
        **attributes: Any,  # noqa: ANN401
    ) -> list[str]:
        """Add an operator, and name its outputs."""
        names = [self.name(kind.lower()) for _ in range(outputs)]
        node = self.onnx.helper.make_node(kind, inputs, names, name=names[0], **attributes)
        self.operators.append(node)
        return names

    def call(self, tensor: str, name: str) -> None:
        """Give what an operator computes a name of one's own."""
        makers = [node for node in self.operators if tensor in node.output]
        if not makers:
            self.operators.append(self.onnx.helper.make_node("Identity", [tensor], [name]))
            return
        for node in self.operators:
            for names in (node.input, node.output):
                for place, held in enumerate(names):
                    if held == tensor:
                        names[place] = name

    def constant(self, values: NDArray[np.generic], what: str) -> str:
        """Add a constant, unless it is there already; floats are written in float32."""
        if values.dtype.kind == "f":
            values = values.astype(np.float32)
        root = self.root
        content = hashlib.blake2b(values.tobytes(), digest_size=16).digest()
        key = (values.dtype, values.shape, content)
        if key in root._known:
            return root._known[key]
        root._bytes += values.nbytes
        if root._bytes > _MOST_BYTES:
            raise ExportError(
                "the network does not fit into an ONNX file, which holds at most 2 GB and keeps "
                "layers as matrices; export fewer nodes, or use the network from Python"
            )
        name = self.name(what)
        root.constants.append(self.onnx.numpy_helper.from_array(values.copy("C"), name))
        root._known[key] = name
        return name

    def scalar(self, value: float, dtype: str = "float32") -> str:
        """Add a constant of one number."""
        return self.constant(np.array(value, dtype=dtype), "number")

    def shape(self, *sizes: int) -> str:
        """Add a constant that is a shape."""
        return self.constant(np.array(sizes, dtype=np.int64), "shape")

    def matrix(self, edges: Edges, order: Ints) -> str:
        """Add the weights of edges as a matrix, its rows for the sources in another order.

        A large matrix with few edges is put together from these when a session starts.
        """
        place = np.argsort(order)
        rows = place[np.searchsorted(order, edges.sources, sorter=place)][edges.rows]
        cells = len(order) * edges.width
        if cells <= _SMALL or len(rows) > _SPARSE * cells:
            dense = np.zeros((len(order), edges.width), dtype=np.float32)
            dense[rows, edges.columns] = edges.weights
            return self.constant(dense, "weight")
        root = self.root
        index = np.int32 if cells < 2**31 else np.int64
        where = root.constant((rows * edges.width + edges.columns).astype(index), "edges")
        values = root.constant(edges.weights, "weight")
        key = ("matrix", where, values, len(order))
        if key not in root._known:
            empty = root.filled(root.shape(cells))
            flat = root.add("ScatterElements", empty, where, values, axis=0)
            root._known[key] = root.add("Reshape", flat, root.shape(len(order), edges.width))
        return root._known[key]

    def nan_if_lost(self, x: str) -> str:
        """Give zero where a number is finite, and nan elsewhere."""
        return self.add("Mul", x, self.scalar(0.0))

    def filled(self, shape: str, value: float = 0.0) -> str:
        """Fill a tensor of a shape that is known when it runs."""
        onnx = self.onnx
        filling = onnx.helper.make_tensor("value", onnx.TensorProto.FLOAT, [1], [value])
        return self.add("ConstantOfShape", shape, value=filling)


class Columns:
    """Values of nodes, computed so far, as tensors with a column for each of some nodes.

    Parameters
    ----------
    builder : Builder
    count : int
        Nodes there are.
    """

    def __init__(self, builder: Builder, count: int) -> None:
        self._builder = builder
        self._pieces: list[tuple[str, Ints]] = []
        self._piece = np.full(count, -1)
        self._place = np.full(count, -1)

    def put(self, tensor: str, nodes: Ints) -> None:
        """Note a tensor whose columns are nodes."""
        self._piece[nodes] = len(self._pieces)
        self._place[nodes] = np.arange(len(nodes))
        self._pieces.append((tensor, nodes))

    def take(self, nodes: Ints) -> tuple[str, Ints]:
        """Give a tensor with columns for some nodes, and their order in it."""
        needed = np.unique(self._piece[nodes])
        if len(needed) > _MOST_PIECES:
            pieces = [self._pieces[k] for k in needed.tolist()]
            joined = self._builder.add("Concat", *(name for name, _ in pieces), axis=1)
            self.put(joined, np.concatenate([held for _, held in pieces]))
            needed = np.unique(self._piece[nodes])
        parts, order = [], []
        for k in needed.tolist():
            name, held = self._pieces[k]
            places = np.sort(self._place[nodes[self._piece[nodes] == k]])
            if len(places) < len(held):
                name = self._builder.add("Gather", name, self._index(places), axis=1)
            parts.append(name)
            order.append(held[places])
        tensor = parts[0] if len(parts) == 1 else self._builder.add("Concat", *parts, axis=1)
        return tensor, np.concatenate(order)

    def take_exactly(self, nodes: Ints) -> str:
        """Give a tensor with columns for some nodes, in their order."""
        tensor, order = self.take(np.unique(nodes))
        if np.array_equal(order, nodes):
            return tensor
        place = np.argsort(order)
        found = place[np.searchsorted(order, nodes, sorter=place)]
        return self._builder.add("Gather", tensor, self._index(found), axis=1)

    def _index(self, places: Ints) -> str:
        return self._builder.constant(places.astype(np.int64), "columns")
