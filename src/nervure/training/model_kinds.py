"""Kinds of networks that model files know: how each is rebuilt from arguments and tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from nervure.baselines import PlainNetwork
from nervure.errors import ModelFileError
from nervure.networks import BlockDAG, FreeNet, GraphLinear, NeuralModules, SparseMLP
from nervure.networks.block_design import Design, state_shapes
from nervure.networks.stored_topology import WIRING, blocks_of
from nervure.networks.weight_layout import WeightLayout
from nervure.topology import Topology

NetworkBuilder = Callable[[Mapping[str, Any], Mapping[str, Tensor]], nn.Module]


def register_network(kind: str, builder: NetworkBuilder) -> None:
    """Make a class of networks known to model files.

    Parameters
    ----------
    kind : str
        Name of the class. Its ``config()`` must give the arguments that rebuild it, as JSON.
    builder : callable
        Given those arguments and the saved tensors, builds the network that the tensors are then
        loaded into. Both come from a file that may be damaged: compare them (`expect_shapes`)
        before anything is built, so that a wrong number cannot ask for much memory.

    Raises
    ------
    ModelFileError
        If the name is that of a network of nervure's own.
    """
    if kind in _OWN:
        raise ModelFileError(
            f"the kind {kind!r} is nervure's own; give the class another name, and register that"
        )
    BUILDERS[kind] = builder


def is_known(network: nn.Module) -> bool:
    """Tell whether `save_model` can save a network of this kind."""
    kind = type(network)
    # Another class may have the name of one of nervure's own.
    return kind.__name__ in BUILDERS and _OWN.get(kind.__name__, kind) is kind


def expect_shapes(tensors: Mapping[str, Tensor], shapes: Mapping[str, tuple[object, ...]]) -> None:
    """Check the shapes of saved tensors against those that arguments promise.

    Raises
    ------
    ModelFileError
        If a tensor is missing or has another shape.
    """
    for name, shape in shapes.items():
        if name not in tensors:
            raise ModelFileError(f"tensor {name} is missing")
        # Equal to a size, but none: 8.0 and true.
        odd = any(type(size) is not int for size in shape)
        if odd or tuple(tensors[name].shape) != shape:
            raise ModelFileError(
                f"tensor {name} has shape {tuple(tensors[name].shape)}, expected {shape}"
            )


def saved_topology(tensors: Mapping[str, Tensor], prefix: str, block: int = 1) -> Topology:
    """Give the wiring that a network or a core saved, that under a prefix such as ``"core."``.

    With blocks of nodes it is that of the blocks.

    Raises
    ------
    ModelFileError
        If its arrays are missing or no topology.
    """
    arrays = {}
    for key in WIRING:
        name = f"{prefix}topology.{key}"
        if name not in tensors:
            raise ModelFileError(f"tensor {name} is missing")
        if tensors[name].dtype != torch.int32 or tensors[name].dim() != 1:
            raise ModelFileError(
                f"tensor {name}: expected a list of int32, got {tensors[name].dtype} of shape "
                f"{tuple(tensors[name].shape)}"
            )
        arrays[key] = tensors[name].numpy()
    indptr = arrays["indptr"]
    roles = [arrays["inputs"], arrays["outputs"]]
    if block > 1:
        roles = [blocks_of(role, block) for role in roles]
    return Topology(len(indptr) - 1, indptr, arrays["sources"], *roles)


def _neural_modules(arguments: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> nn.Module:
    topology = _checked_wiring(arguments, tensors, "inputs", "outputs")
    # The saved wiring keeps the complete digraph from being built; the seed keeps torch's own
    # random generator where it is.
    return NeuralModules(**arguments, topology=topology, seed=0)


def _graph_linear(arguments: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> nn.Module:
    topology = _checked_wiring(arguments, tensors, "in_features", "out_features")
    return GraphLinear(**arguments, topology=topology, seed=0)


def _checked_wiring(
    arguments: Mapping[str, Any], tensors: Mapping[str, Tensor], first: str, last: str
) -> Topology:
    """Give the wiring of a core between encoder and decoder, whose shapes fit the arguments."""
    topology = saved_topology(tensors, "core.")
    nodes, inputs, outputs = (arguments.get(key) for key in ("nodes", first, last))
    sparse = arguments.get("storage") == "sparse"
    shapes: dict[str, tuple[object, ...]] = {
        "encoder.weight": (nodes, inputs),
        "decoder.weight": (outputs, nodes),
        "core.weight": (topology.num_edges,) if sparse else (nodes, nodes),
        "core.topology.indptr": (topology.num_nodes + 1,),
    }
    expect_shapes(tensors, shapes)
    return topology


def _freenet(arguments: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> nn.Module:
    topology = saved_topology(tensors, "core.")
    neurons, inputs, outputs = (arguments.get(key) for key in ("neurons", "inputs", "outputs"))
    expect_shapes(
        tensors,
        {
            "encoder.weight": (neurons, inputs),
            "decoder.weight": (outputs, neurons),
            "core.weight": (topology.num_edges,),
            "core.topology.indptr": (topology.num_nodes + 1,),
        },
    )
    return FreeNet(**arguments, topology=topology, seed=0)


def _sparse_mlp(arguments: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> nn.Module:
    sizes, m = arguments.get("sizes"), arguments.get("motif_size")
    if not isinstance(sizes, list) or type(m) is not int or m < 1:
        raise ModelFileError(f"its sizes are {sizes!r} and its motif size {m!r}")
    topology = saved_topology(tensors, "core.", m)
    tied = topology.num_nodes - len(topology.outputs) if arguments.get("tied") else 0
    layout = WeightLayout.of(topology, m, tied)
    expect_shapes(tensors, {"core.weight": (layout.size,), "core.bias": (topology.num_nodes * m,)})
    return SparseMLP(**arguments, topology=topology, seed=0)


def _plain_network(arguments: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> nn.Module:
    nodes = arguments.get("nodes")
    expect_shapes(
        tensors,
        {
            "hidden.weight": (nodes, arguments.get("inputs")),
            "decoder.weight": (arguments.get("outputs"), nodes),
        },
    )
    return PlainNetwork(**arguments, seed=0)


def _block_dag(arguments: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> nn.Module:
    topology = saved_topology(tensors, "")
    design = Design.checked(topology, **{k: v for k, v in arguments.items() if k != "recompute"})
    for shapes in state_shapes(topology, design):
        expect_shapes(tensors, shapes)
    return BlockDAG(topology, **arguments, seed=0)


_BUILDERS_OF_OWN: dict[type[nn.Module], NetworkBuilder] = {
    BlockDAG: _block_dag,
    FreeNet: _freenet,
    GraphLinear: _graph_linear,
    NeuralModules: _neural_modules,
    PlainNetwork: _plain_network,
    SparseMLP: _sparse_mlp,
}
_OWN = {kind.__name__: kind for kind in _BUILDERS_OF_OWN}

BUILDERS = {kind.__name__: builder for kind, builder in _BUILDERS_OF_OWN.items()}
"""By name of class; `register_network` adds to it."""
