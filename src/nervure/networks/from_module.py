"""The wiring of an ordinary torch network of linear layers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch import nn

from nervure.errors import TopologyError
from nervure.topology import Topology

# What lets every unit of a layer pass on its own: such a module changes no wiring.
_UNIT_BY_UNIT = (
    nn.Identity, nn.Flatten, nn.Dropout, nn.AlphaDropout, nn.BatchNorm1d,
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU,
    nn.Mish, nn.Tanh, nn.Hardtanh, nn.Tanhshrink, nn.Sigmoid, nn.Hardsigmoid, nn.LogSigmoid,
    nn.Hardswish, nn.Softplus, nn.Softsign, nn.Softshrink, nn.Hardshrink, nn.Threshold,
)  # fmt: skip
# These mix the units of their layer; after the last one that changes no wiring either.
_LAST_ONLY = (nn.Softmax, nn.LogSoftmax)


def topology_of_module(module: nn.Module) -> Topology:
    """Give the wiring of a sequence of linear layers: an edge for every weight that is not zero.

    It stands in for a constructor of `nervure.Topology`, which knows no torch.

    Parameters
    ----------
    module : torch.nn.Sequential or torch.nn.Linear
        Linear layers; between them activations that treat every unit alone, Flatten, Dropout,
        Identity and BatchNorm1d. Sequences may hold sequences. A pruned network
        (`torch.nn.utils.prune`) has the edges that its masks leave.

    Returns
    -------
    Topology
        Nodes are numbered layer by layer, inputs first.

    Raises
    ------
    TopologyError
        When there is another module, no linear layer, or layers do not fit together.

    Notes
    -----
    O(weights).

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1))
    >>> with torch.no_grad():
    ...     net[0].weight.fill_diagonal_(0).numel()
    4
    >>> topology_of_module(net).edges.tolist()
    [[1, 2], [0, 3], [2, 4], [3, 4]]
    """
    matrices = _matrices(module)
    sizes = [matrices[0].shape[1], *(len(matrix) for matrix in matrices)]
    first = np.cumsum([0, *sizes])
    pairs = []
    for layer, matrix in enumerate(matrices):
        targets, sources = np.nonzero(matrix)
        pairs.append(np.column_stack((sources + first[layer], targets + first[layer + 1])))
    nodes = int(first[-1])
    return Topology.from_edges(
        np.concatenate(pairs),
        num_nodes=nodes,
        inputs=np.arange(sizes[0]),
        outputs=np.arange(nodes - sizes[-1], nodes),
    )


def edge_weights_of_module(module: nn.Module) -> NDArray[np.float64]:
    """Give the weights that belong to the edges of `topology_of_module`, in edge order.

    Parameters
    ----------
    module : torch.nn.Sequential or torch.nn.Linear
        As for `topology_of_module`.

    Returns
    -------
    ndarray of float64, shape (edges,)

    Raises
    ------
    TopologyError
        As `topology_of_module` does.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Linear(2, 1)
    >>> edge_weights_of_module(net).tolist() == net.weight[0].tolist()
    True
    """
    # Edge order is by target, then by source: the rows of the matrices, one after the other.
    return np.concatenate([matrix[matrix != 0] for matrix in _matrices(module)])


def _matrices(module: nn.Module) -> list[NDArray[np.float64]]:
    """Weights [target, source] of the linear layers in their order."""
    found: list[NDArray[np.float64]] = []
    mixer = ""
    for name, part in parts_of(module):
        if isinstance(part, nn.Linear):
            if mixer:
                raise TopologyError(
                    f"{mixer} stands before {name}: it ties every unit of its layer to every other "
                    "and is understood only after the last linear layer"
                )
            if found and len(found[-1]) != part.in_features:
                raise TopologyError(
                    f"{name} reads {part.in_features} units, but the linear layer before it gives "
                    f"{len(found[-1])}"
                )
            found.append(part.weight.detach().cpu().double().numpy())
        elif isinstance(part, _LAST_ONLY):
            mixer = mixer or name
        elif not isinstance(part, _UNIT_BY_UNIT):
            raise TopologyError(
                f"{name} is neither a linear layer nor a module that treats every unit alone, so "
                "that its wiring is not known; put the linear layers into an nn.Sequential of "
                "their own, or build the graph with Topology.from_mask or Topology.from_edges"
            )
    if not found:
        raise TopologyError(f"no linear layer in {type(module).__name__}; nothing is wired")
    return found


def parts_of(module: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Walk through nested sequences; each part is named as it is reached, with its class."""
    name = name or type(module).__name__
    # A sequence with a forward of its own need not be one.
    if isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
        for place, child in enumerate(module):
            yield from parts_of(
                child, f"{name.partition(' ')[0]}[{place}] ({type(child).__name__})"
            )
    else:
        yield name, module
