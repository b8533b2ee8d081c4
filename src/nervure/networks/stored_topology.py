"""How a layer's wiring travels in its state dict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nervure.engine import Plan
from nervure.engine.activations import NAMES
from nervure.errors import ModelFileError
from nervure.topology import Topology

WIRING = ("indptr", "sources", "inputs", "outputs")
KEYS = (*WIRING, "activation", "block")


class StoredTopology(NamedTuple):
    """A wiring read back: `inputs` and `outputs` are nodes, the topology is of blocks."""

    topology: Topology
    codes: NDArray[np.int32]
    inputs: NDArray[np.int32]
    outputs: NDArray[np.int32]


def wiring_to_state(topology: Topology, prefix: str) -> dict[str, Tensor]:
    """Give a wiring of single nodes without activations as tensors of int32."""
    return {
        f"{prefix}topology.{key}": torch.from_numpy(getattr(topology, key).copy()) for key in WIRING
    }


def wiring_from_state(state: Mapping[str, Any], prefix: str) -> Topology | list[str]:
    """Read what `wiring_to_state` gave; or name the keys that are missing.

    Raises
    ------
    ModelFileError, TopologyError
        If the arrays are no graph.
    """
    names = [f"{prefix}topology.{key}" for key in WIRING]
    missing = [name for name in names if name not in state]
    if missing:
        return missing
    arrays = [state[name].cpu().numpy() for name in names]
    for name, array in zip(names, arrays, strict=True):
        if array.ndim != 1:
            raise ModelFileError(f"{name}: expected a list, got an array of shape {array.shape}")
    return Topology(len(arrays[0]) - 1, *arrays)


def to_state(plan: Plan, prefix: str) -> dict[str, Tensor]:
    """Give the wiring as tensors."""
    t = plan.topology
    block = np.array(plan.block, dtype=np.int32)
    arrays = (t.indptr, t.sources, plan.inputs, plan.outputs, plan.codes, block)
    return {
        f"{prefix}topology.{key}": torch.from_numpy(array.copy())
        for key, array in zip(KEYS, arrays, strict=True)
    }


def from_state(
    state: Mapping[str, Any], prefix: str, nodes: int, block: int
) -> StoredTopology | list[str]:
    """Read the wiring of a layer with so many nodes; or name the keys that are missing.

    Raises
    ------
    ModelFileError
        If the saved graph has other sizes or does not make sense.
    """
    names = [f"{prefix}topology.{key}" for key in KEYS]
    missing = [name for name in names if name not in state]
    if missing:
        return missing
    indptr, sources, inputs, outputs, codes, saved = (
        np.ascontiguousarray(state[name].cpu().numpy()) for name in names
    )
    if saved.size != 1 or int(saved.reshape(())) != block:
        raise ModelFileError(
            f"the saved graph has blocks of {saved.tolist()} nodes, this layer of {block}; build "
            "the layer with the block size it was saved with"
        )
    blocks = len(indptr) - 1
    if blocks * block != nodes:
        raise ModelFileError(
            f"the saved graph has {blocks * block} nodes, this layer has {nodes}; build the layer "
            "with the number of nodes it was saved with"
        )
    if codes.shape != (nodes,) or not ((codes >= 0) & (codes < len(NAMES))).all():
        raise ModelFileError("the saved activation codes do not fit the saved graph")
    for name, role in (("inputs", inputs), ("outputs", outputs)):
        if role.ndim != 1 or (len(role) and not (role.min() >= 0 and role.max() < nodes)):
            raise ModelFileError(f"the saved {name} are not nodes of the saved graph")
        if len(np.unique(role)) != len(role):
            raise ModelFileError(f"the saved {name} name a node twice")
    # With single nodes the order of the roles matters; of blocks each role is a set.
    roles = (
        (inputs, outputs) if block == 1 else (blocks_of(inputs, block), blocks_of(outputs, block))
    )
    topology = Topology(blocks, indptr, sources, *roles)
    return StoredTopology(
        topology, codes.astype(np.int32), inputs.astype(np.int32), outputs.astype(np.int32)
    )


def blocks_of(nodes: NDArray[np.int32], block: int) -> NDArray[np.int32]:
    """Give the blocks that hold any of some nodes, rising."""
    return np.unique(nodes // block).astype(np.int32)
