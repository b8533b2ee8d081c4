"""Analyse a topology once; execute the result many times."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nervure import _core
from nervure.engine.activations import activation_codes
from nervure.engine.costs import Workload, choose, workload
from nervure.engine.levels import Levels, build_levels
from nervure.engine.tracing import constant_when_traced
from nervure.errors import EngineError
from nervure.topology import Topology

# Below, the native sweep is over before any other backend has begun.
LEAST_EDGES_TO_CHOOSE = 20_000
_MAGIC = 0x6E767032  # "nvp2": layout version 2
_HEADER = 8
_PACKED_AT_ONCE = 1_000_000


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything the engine needs to know of a topology, worked out once.

    Attributes
    ----------
    topology : Topology
        What is wired; with `block` > 1, which blocks are.
    block : int
        Nodes per block: every edge of the topology stands for block x block weights.
    codes : ndarray of int32, shape (nodes,)
        Activation code of every node.
    inputs, outputs : ndarray of int32
        Nodes that receive the drive, and that are returned.
    program : _core.Program
        Order, components, panels and outgoing lists; checked when it was built.
    input_bias : bool
        Whether pure inputs have biases that are trained.
    """

    topology: Topology
    block: int
    codes: NDArray[np.int32]
    inputs: NDArray[np.int32]
    outputs: NDArray[np.int32]
    program: _core.Program
    input_bias: bool
    # Read at every sweep, so they are plain attributes; set from the program.
    nodes: int = field(init=False)
    weights: int = field(init=False)
    num_inputs: int = field(init=False)
    num_outputs: int = field(init=False)
    keeps_slope: bool = field(init=False)
    is_acyclic: bool = field(init=False)
    _packed: Tensor | None = field(init=False, default=None)
    _fastest: dict[tuple[int, torch.dtype, bool, int], str] = field(
        init=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        program = self.program
        for name, value in (
            ("nodes", program.nodes),
            ("weights", program.weights),
            ("num_inputs", len(self.inputs)),
            ("num_outputs", len(self.outputs)),
            ("keeps_slope", program.has_slopes),
            ("is_acyclic", not program.has_cycles),
        ):
            object.__setattr__(self, name, value)
        # At hand when a compiler traces the layer; a large one is packed only on demand.
        if self.topology.num_edges <= _PACKED_AT_ONCE:
            object.__setattr__(self, "_packed", self._pack())

    @property
    def edges(self) -> int:
        """Edges of the topology; `weights` is block^2 times as many."""
        return self.topology.num_edges

    @property
    def nbytes(self) -> int:
        """Bytes beyond the topology's own: about 60 per node; with cycles or blocks 8 per edge."""
        return self.program.nbytes

    @cached_property
    def pure_inputs(self) -> Tensor:
        """Nodes with a drive and no incoming edge, int64."""
        fed = np.repeat(self.topology.in_degree > 0, self.block)
        return torch.from_numpy(self.inputs[~fed[self.inputs]].astype(np.int64))

    @cached_property
    def levels(self) -> Levels:
        """The topology cut into levels, for the backends that compute level by level."""
        t = self.topology
        return build_levels(t.indptr, t.sources, self.inputs, self.outputs, self.codes, t.levels)

    @cached_property
    def workload(self) -> Workload:
        """Counts from which the cost model estimates each backend."""
        t = self.topology
        return workload(t.indptr, t.sources, t.levels, self.program.shared_edges)

    def fastest(self, batch: int, dtype: torch.dtype, *, training: bool) -> str:
        """Backend the cost model expects to be fastest on the CPU; remembered."""
        if not self.is_acyclic or self.block > 1 or self.weights < LEAST_EDGES_TO_CHOOSE:
            return "native"
        return self._estimated(batch, dtype, training)

    @constant_when_traced
    def _estimated(self, batch: int, dtype: torch.dtype, training: bool) -> str:
        key = (batch, dtype, training, torch.get_num_threads())
        if key not in self._fastest:
            self._fastest[key] = choose(self.workload, *key[:2], key[3], training)
        return self._fastest[key]

    @property
    def packed(self) -> Tensor:
        """The plan as one int32 tensor: what the operators take.

        Compiled and exported programs carry it as an ordinary tensor. It holds the wiring alone;
        the rest is worked out, and checked, when it is first run.
        """
        if self._packed is None:
            object.__setattr__(self, "_packed", self._pack())
        return cast(Tensor, self._packed)

    def _pack(self) -> Tensor:
        t = self.topology
        sizes = (t.num_nodes, t.num_edges, self.num_inputs, self.num_outputs, self.block)
        header = np.array([_MAGIC, *sizes, self.input_bias, 0], dtype=np.int32)
        parts = (header, t.indptr, t.sources, self.codes, self.inputs, self.outputs)
        return torch.from_numpy(np.concatenate(parts))

    # A plan does not change, and its program cannot be copied: copies share it, pickles rebuild it.
    def __deepcopy__(self, memo: dict[int, Any]) -> Plan:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (
            self.topology, self.codes, self.block, self.inputs, self.outputs, self.input_bias
        )  # fmt: skip


def _rebuilt(
    topology: Topology,
    codes: NDArray[np.int32],
    block: int,
    inputs: NDArray[np.int32],
    outputs: NDArray[np.int32],
    input_bias: bool,
) -> Plan:
    return build_plan(
        topology, codes, block=block, inputs=inputs, outputs=outputs, input_bias=input_bias
    )


def build_plan(
    topology: Topology,
    activation: NDArray[np.int32],
    *,
    block: int = 1,
    inputs: NDArray[np.int32] | None = None,
    outputs: NDArray[np.int32] | None = None,
    input_bias: bool = True,
) -> Plan:
    """Build a plan, O(nodes + edges), without looking into the cache.

    Parameters
    ----------
    topology : Topology
        What is wired.
    activation : ndarray of int32, shape (nodes * block,)
        Activation code per node (`activation_codes`).
    block, inputs, outputs, input_bias
        As in `plan`.
    """
    if block < 1:
        raise EngineError(f"block: expected at least 1, got {block}")
    if inputs is None:
        inputs = _members(topology.inputs, block)
    if outputs is None:
        outputs = _members(topology.outputs, block)
    inputs, outputs, activation = (
        np.ascontiguousarray(array, dtype=np.int32) for array in (inputs, outputs, activation)
    )
    try:
        program = _core.Program(
            topology.indptr, topology.sources, inputs, outputs, activation, block, input_bias
        )
    except ValueError as error:
        raise EngineError(f"cannot plan this topology: {error}") from error
    return Plan(topology, block, activation, inputs, outputs, program, input_bias)


def _members(blocks: NDArray[np.int32], block: int) -> NDArray[np.int32]:
    if block == 1:
        return blocks
    members = blocks[:, None] * np.int32(block) + np.arange(block, dtype=np.int32)
    return members.reshape(-1).astype(np.int32)


@lru_cache(maxsize=16)
def _cached(
    topology: Topology, activation: tuple[str, ...] | str, block: int, input_bias: bool
) -> Plan:
    codes = activation_codes(activation, topology.num_nodes * block)
    return build_plan(topology, codes, block=block, input_bias=input_bias)


def plan(
    topology: Topology,
    activation: str | Sequence[str] = "relu",
    *,
    block: int = 1,
    inputs: Sequence[int] | NDArray[np.int32] | None = None,
    outputs: Sequence[int] | NDArray[np.int32] | None = None,
    input_bias: bool = True,
) -> Plan:
    """Give the execution plan of a topology; equal topologies share one.

    Parameters
    ----------
    topology : Topology
        What is wired.
    activation : str or sequence of str
        Activation of all nodes, or of each.
    block : int
        Nodes per block, m. With m > 1 the topology wires blocks: block b is the nodes b m to
        b m + m - 1, and each edge is an m x m matrix of weights [target, source], edge after edge.
        One index then serves m^2 weights, and m rows share what they load.
    inputs, outputs : sequence of int, optional
        Nodes in the two roles; all nodes of the topology's input and output blocks by default.
    input_bias : bool
        Whether pure inputs (nodes with a drive and no incoming edge) have biases that are trained.
        If not, their gradient is zero, and a backward pass that need not give the gradient of the
        drive leaves out the edges from them.

    Returns
    -------
    Plan

    Notes
    -----
    Components and order come from one pass of Tarjan's algorithm (SIAM J. Comput. 1972), O(nodes +
    edges). The last 16 plans are kept.

    Examples
    --------
    >>> from nervure import Topology
    >>> plan(Topology.from_edges([(0, 1), (1, 2), (2, 1)]), "tanh").is_acyclic
    False
    """
    names = activation if isinstance(activation, str) else tuple(activation)
    if inputs is None and outputs is None:
        return _cached(topology, names, block, input_bias)
    roles = {
        "inputs": None if inputs is None else np.asarray(inputs, dtype=np.int32),
        "outputs": None if outputs is None else np.asarray(outputs, dtype=np.int32),
    }
    codes = activation_codes(names, topology.num_nodes * block)
    return build_plan(topology, codes, block=block, input_bias=input_bias, **roles)


_unpacked: OrderedDict[tuple[Any, ...], tuple[Tensor, Plan]] = OrderedDict()
_KEPT = 16


def plan_of(packed: Tensor) -> Plan:
    """Build the plan a packed tensor describes; the last 16 are kept.

    Raises
    ------
    EngineError
        If the tensor is not a plan, or holds indices out of range.
    """
    # The tensor is kept with its plan, so its address cannot come to mean another one.
    key = (packed.data_ptr(), packed.shape, packed.dtype, packed.device, packed._version)
    if key in _unpacked:
        _unpacked.move_to_end(key)
        return _unpacked[key][1]
    plan = _unpack(packed)
    _unpacked[key] = (packed, plan)
    while len(_unpacked) > _KEPT:
        _unpacked.popitem(last=False)
    return plan


def _unpack(packed: Tensor) -> Plan:
    if packed.dtype != torch.int32 or packed.dim() != 1 or packed.device.type != "cpu":
        raise EngineError(
            f"expected a packed plan (int32, one axis, CPU), got {packed.dtype} "
            f"{tuple(packed.shape)} on {packed.device}"
        )
    # A copy: what is checked here must not change later.
    array = packed.detach().contiguous().numpy().copy()
    if len(array) < _HEADER or array[0] != _MAGIC:
        raise EngineError("the tensor is not an execution plan of this version of nervure")
    blocks, edges, num_inputs, num_outputs, block, input_bias = array[1:7].tolist()
    least = min(blocks, edges, num_inputs, num_outputs)
    sizes = [blocks + 1, edges, blocks * block, num_inputs, num_outputs]
    if least < 0 or block < 1 or sum(sizes) + _HEADER != len(array):
        raise EngineError("the execution plan is damaged: its sizes do not add up")
    indptr, sources, codes, inputs, outputs = np.split(array[_HEADER:], np.cumsum(sizes)[:-1])
    try:
        topology = Topology(blocks, indptr, sources, (), ())
    except ValueError as error:
        raise EngineError(f"the execution plan is damaged: {error}") from error
    return build_plan(
        topology, codes, block=block, inputs=inputs, outputs=outputs, input_bias=bool(input_bias)
    )


@dataclass(frozen=True)
class Sections:
    """Per-node and per-weight arrays of a plan, blocks taken apart.

    Attributes
    ----------
    nodes : int
    sources, targets : Tensor of int64, shape (weights,)
        Nodes of every weight, in the order of the weights.
    labels, levels : Tensor of int64, shape (nodes,)
        Component of every node and the depth of that component.
    cyclic : Tensor of bool, shape (nodes,)
        Whether the node's component has cycles.
    activation, inputs, outputs : Tensor of int64
    """

    nodes: int
    sources: Tensor
    targets: Tensor
    labels: Tensor
    levels: Tensor
    cyclic: Tensor
    activation: Tensor
    inputs: Tensor
    outputs: Tensor


def sections(plan: Plan) -> Sections:
    """Take a plan apart into tensors, for the reference backend."""
    t, m = plan.topology, plan.block
    components = t.components
    member = np.arange(m)
    pairs = (t.num_edges, m, m)
    sources = np.broadcast_to(t.sources[:, None, None] * m + member[None, None, :], pairs)
    targets = np.broadcast_to(t.targets[:, None, None] * m + member[None, :, None], pairs)
    cyclic = (components.sizes > 1)[components.labels]

    def tensor(array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.array(array, dtype=np.int64).reshape(-1))

    return Sections(
        nodes=plan.nodes,
        sources=tensor(sources),
        targets=tensor(targets),
        labels=tensor(np.repeat(components.labels, m)),
        levels=tensor(np.repeat(t.levels, m)),
        cyclic=torch.from_numpy(np.repeat(cyclic, m)),
        activation=tensor(plan.codes),
        inputs=tensor(plan.inputs),
        outputs=tensor(plan.outputs),
    )
