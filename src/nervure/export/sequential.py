"""Layered networks as plain torch: linear layers and activations in a row."""

from __future__ import annotations

import json
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch
from safetensors.torch import save
from torch import nn

from nervure.engine.activations import NAMES
from nervure.errors import ExportError
from nervure.export.node_graph import Floats, Ints, NodeGraph, node_graph
from nervure.export.signature import Signature
from nervure.export.writing import write_file

_MODULES = {
    "relu": "ReLU",
    "leaky_relu": "LeakyReLU",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "gelu": "GELU",
    "silu": "SiLU",
}
_ELSE = "export it to ONNX or NumPy, which take any graph"


def to_sequential(network: nn.Module) -> nn.Sequential:
    """Give a layered network as linear layers and activations of torch's own.

    Parameters
    ----------
    network : GraphLayer, NeuralModules, GraphLinear, FreeNet, SparseMLP or PlainNetwork
        It is not changed.

    Returns
    -------
    torch.nn.Sequential
        In evaluation mode, on the CPU, in float32. Its outputs equal those of the network. Absent
        edges are zeros, which torch computes; nodes on which no output depends are left out.

    Raises
    ------
    ExportError
        If the graph has a cycle, an edge skips a layer, or a layer has several activations; or for
        squared ReLU, which torch has no module for.

    Notes
    -----
    Features are the first layer and outputs the last, so that weights of an encoder and a decoder
    count as edges where they are not zero. A network with both therefore is layered only if the
    encoder feeds the first layer of nodes alone, and the decoder reads the last alone.

    Examples
    --------
    >>> from nervure import SparseMLP
    >>> from nervure.export import to_sequential
    >>> to_sequential(SparseMLP([4, 6, 3], seed=0))
    Sequential(
      (0): Linear(in_features=4, out_features=6, bias=True)
      (1): ReLU()
      (2): Linear(in_features=6, out_features=3, bias=True)
    )
    """
    graph = node_graph(network)
    modules: list[nn.Module] = []
    for stage in _joined(_stages(graph)):
        if not stage.passes_on:
            modules.append(stage.linear())
        if stage.activation != "identity":
            leak = [graph.leak] if stage.activation == "leaky_relu" else []
            modules.append(getattr(nn, _MODULES[stage.activation])(*leak))
    return nn.Sequential(*modules).eval()


def to_torch(
    network: nn.Module, path: str | PathLike[str], *, signature: Signature | None = None
) -> None:
    """Write a layered network as the weights of plain torch, entirely or not at all.

    Parameters
    ----------
    network : torch.nn.Module
        As for `to_sequential`.
    path : path
        A safetensors file with the state of that sequence. Its metadata has ``layers``, a JSON list
        of lists: the name of a class of ``torch.nn`` and its arguments. Replaced in one step if it
        exists.
    signature : Signature, optional
        Names of features and classes, for the metadata.

    Raises
    ------
    ExportError
        As `to_sequential` does, or if the file cannot be written.
    """
    sequence = to_sequential(network)
    layers = [[type(module).__name__, *_arguments(module)] for module in sequence]
    about = {"layers": json.dumps(layers), **(signature or Signature()).properties()}
    write_file(Path(path), save(sequence.state_dict(), {"format": "pt", **about}))


def _arguments(module: nn.Module) -> list[float]:
    if isinstance(module, nn.Linear):
        return [module.in_features, module.out_features]
    return [module.negative_slope] if isinstance(module, nn.LeakyReLU) else []


@dataclass(frozen=True, eq=False)
class _Stage:
    """A map of all nodes of a layer, then their activation."""

    weight: sp.csr_array
    bias: Floats
    activation: str

    @property
    def selects(self) -> bool:
        """Whether each of its nodes is one of the layer before, or a constant."""
        alone = bool((np.diff(self.weight.indptr) <= 1).all())
        return alone and bool((self.weight.data == 1).all())

    @property
    def passes_on(self) -> bool:
        """Whether it gives what comes in."""
        rows, columns = self.weight.shape
        in_place = np.array_equal(self.weight.indices, np.arange(rows))
        whole = rows == columns == self.weight.nnz
        return self.selects and whole and in_place and not self.bias.any()

    def linear(self) -> nn.Linear:
        """Give the map as a module."""
        rows, columns = self.weight.shape
        layer: nn.Linear = nn.utils.skip_init(nn.Linear, columns, rows)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(self.weight.astype(np.float32).toarray()))
            layer.bias.copy_(torch.from_numpy(self.bias))
        return layer


def _joined(stages: list[_Stage]) -> list[_Stage]:
    """Join maps that only select with what stands beside them."""
    out = stages[:1]
    for stage in stages[1:]:
        last = out[-1]
        if last.activation == "identity" and (last.selects or stage.selects):
            bias = stage.bias + stage.weight @ last.bias
            weight = sp.csr_array(stage.weight @ last.weight)
            out[-1] = _Stage(weight, bias, stage.activation)
        else:
            out.append(stage)
    return out


def _stages(graph: NodeGraph) -> list[_Stage]:
    """Give a map for each layer of nodes, and one to the outputs."""
    layers = _layers(graph)
    count, inputs = graph.topology.num_nodes, graph.topology.inputs
    if graph.encoder is None:
        entering = sp.csr_array(
            (np.ones(len(inputs)), (inputs, graph.columns)), shape=(count, graph.features)
        )
    else:
        picked = sp.csr_array(
            (np.ones(len(inputs)), (inputs, np.arange(len(inputs)))), shape=(count, len(inputs))
        )
        entering = sp.csr_array(picked @ sp.csr_array(graph.encoder))
    inner = graph.topology.to_scipy(graph.weight)
    stages = []
    for place, nodes in enumerate(layers):
        weight = inner[nodes][:, layers[place - 1]] if place else entering[nodes]
        activation = NAMES[int(graph.codes[nodes[0]])]
        stages.append(_Stage(sp.csr_array(weight), graph.bias[nodes], activation))
    last = layers[-1] if layers else np.arange(0)
    column = np.full(count, -1)
    column[last] = np.arange(len(last))
    width = len(last) if layers else graph.features
    if graph.decoder is not None:
        leaving = np.zeros((graph.outputs, width))
        leaving[:, column[graph.places]] = graph.decoder
        weight = sp.csr_array(leaving)
    else:
        varies = np.flatnonzero(graph.places >= 0)
        ends = (np.ones(len(varies)), (varies, column[graph.places[varies]]))
        weight = sp.csr_array(ends, shape=(graph.outputs, width))
    return [*stages, _Stage(weight, graph.output_bias, "identity")]


def _layers(graph: NodeGraph) -> list[Ints]:
    """Give the nodes of each layer; or say why there are no layers."""
    topology, numbers, level = graph.topology, graph.numbers, graph.topology.levels
    if not topology.is_acyclic:
        sizes = topology.components.sizes
        module = topology.components.modules[0]
        raise ExportError(
            f"the {graph.kind} is not layered: it has {int((sizes > 1).sum())} components with "
            f"cycles, one through node {numbers[module[0]]}; {_ELSE}"
        )
    through = "the encoder" if graph.encoder is not None else "an input"
    late = topology.inputs[level[topology.inputs] > 0]
    if len(late):
        node = late[0]
        raise ExportError(
            f"the {graph.kind} is not layered: node {numbers[node]} is in layer {level[node] + 1} "
            f"of nodes and takes in the data as well, through {through}; {_ELSE}"
        )
    skipping = np.flatnonzero(level[topology.targets] != level[topology.sources] + 1)
    if len(skipping):
        source, target = topology.edges[skipping[0]].tolist()
        raise ExportError(
            f"the {graph.kind} is not layered: the edge from node {numbers[source]} to node "
            f"{numbers[target]} leads from layer {level[source] + 1} to layer {level[target] + 1} "
            f"of nodes, one of {len(skipping):,} that skip layers; {_ELSE}"
        )
    early = topology.outputs[level[topology.outputs] < topology.depth]
    if len(early):
        node = early[0]
        what = "the decoder reads" if graph.decoder is not None else "an output is"
        raise ExportError(
            f"the {graph.kind} is not layered: {what} node {numbers[node]} in layer "
            f"{level[node] + 1} of {topology.depth + 1}, past the layers behind it; {_ELSE}"
        )
    layers = [np.flatnonzero(level == k) for k in range(topology.depth + 1)] if len(level) else []
    for place, nodes in enumerate(layers):
        present = [NAMES[code] for code in np.unique(graph.codes[nodes])]
        if len(present) > 1:
            raise ExportError(
                f"layer {place + 1} of the {graph.kind} has the activations {', '.join(present)}; "
                f"a sequence has one for a layer: {_ELSE}"
            )
        if present[0] == "squared_relu":
            raise ExportError(f"torch has no module for squared_relu; {_ELSE}")
    return layers
