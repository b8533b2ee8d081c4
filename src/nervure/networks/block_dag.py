"""`BlockDAG`: a DAG whose nodes are blocks and whose edges carry weighted feature maps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nervure.errors import EngineError
from nervure.networks.blocks import Block, ConvBlock, Exit, PooledLinear, weighted_sum
from nervure.networks.parameters import replace_values
from nervure.topology import Topology

EDGE_START = 0.5
_Part = tuple[int, int]  # what a node gives, as its number and the stage that it is for


class BlockDAG(nn.Module):
    """A network whose blocks are wired as a DAG with a weight at every edge.

    A node takes the sum of what its sources give, each times tanh of its edge's weight. Nodes are
    in stages: with each stage feature maps shrink and widths grow, and an edge into a later stage
    goes through a reduction, one for each source and stage, which all its targets there share.

    Only what lies on a path from the input to the output is made and run; a feature map is let go
    once its last reader is done.

    Parameters
    ----------
    topology : Topology
        Acyclic, with one input and one output.
    stages : int or sequence of int
        How many stages of equally many nodes, in topological order, or the stage of each node;
        along an edge they must not fall.
    channels : int
        Width of the first stage.
    inputs : int
        Channels (or features) of the data.
    outputs : int
    node, reduce, entry : callable (inputs, outputs, stride) -> Module
        What stands at a node, at a reduction and at the input node; `reduce` and `entry` are made
        by `node` if not given.
    exit_ : callable (inputs, outputs) -> Module
        What follows the output node.
    growth : int
        Factor by which widths grow with a stage, and sides shrink.
    edge_start : float
        tanh of all weights at the start; they are all equal, so that no wiring is preferred.
    seed : int, optional
        For the weights of the blocks. None takes torch's default generator.

    Attributes
    ----------
    edge_weight : Parameter, shape (edges,)
        Before tanh, in edge order.

    Raises
    ------
    EngineError
        If the graph or an option does not fit.

    Notes
    -----
    Paper: connectivity-tradeoff, section 3. Its network is ``BlockDAG(dense_dag(60), stages=3,
    channels=11)``: 863,300 parameters, to the last one what the paper gives (863.3k), with the
    input block as the first of the 60 nodes and the weights of the edges counted.

    Examples
    --------
    >>> import torch
    >>> from nervure import Topology
    >>> from nervure.networks import BlockDAG, count_parameters
    >>> network = BlockDAG(Topology.dense_dag(60), stages=3, channels=11)
    >>> count_parameters(network)
    863300
    >>> small = BlockDAG(Topology.dense_dag(6), stages=3, channels=4)
    >>> small(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        topology: Topology,
        stages: int | Sequence[int] | NDArray[np.integer] = 1,
        channels: int = 11,
        *,
        inputs: int = 3,
        outputs: int = 10,
        node: Block = ConvBlock,
        reduce: Block | None = None,
        entry: Block | None = None,
        exit_: Exit = PooledLinear,
        growth: int = 2,
        edge_start: float = EDGE_START,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        _check(topology, channels, growth, edge_start)
        self._topology = topology
        self.channels, self.growth = channels, growth
        self.stages = _stages(topology, stages)
        with torch.random.fork_rng(enabled=seed is not None):
            if seed is not None:
                torch.manual_seed(seed)
            live = topology.live
            first = int(topology.inputs[0])
            self.blocks = nn.ModuleDict()
            for i in np.flatnonzero(live):
                width = self.width(int(self.stages[i]))
                self.blocks[str(i)] = (
                    (entry or node)(inputs, width, 1) if i == first else node(width, width, 1)
                )
            self.reductions = nn.ModuleDict()
            for source, stage in sorted(self._jumps()):
                at = int(self.stages[source])
                self.reductions[f"{source}-{stage}"] = (reduce or node)(
                    self.width(at), self.width(stage), growth ** (stage - at)
                )
            last = int(topology.outputs[0])
            self.exit = exit_(self.width(int(self.stages[last])), outputs)
        self.edge_weight = nn.Parameter(torch.full((topology.num_edges,), math.atanh(edge_start)))
        self._schedule_passes()

    @property
    def topology(self) -> Topology:
        """What is wired."""
        return self._topology

    def width(self, stage: int) -> int:
        """Channels of a stage."""
        return self.channels * int(self.growth**stage)

    @property
    def strengths(self) -> NDArray[np.float64]:
        """|tanh w| of each edge, shape (edges,)."""
        strengths: NDArray[np.float64] = (
            torch.tanh(self.edge_weight.detach()).abs().double().cpu().numpy()
        )
        return strengths

    def _jumps(self) -> set[tuple[int, int]]:
        """Give (source, later stage) of all live edges that lead into a later stage."""
        t, live = self._topology, self._topology.live
        sources, targets = t.sources, t.targets
        chosen = live[sources] & live[targets] & (self.stages[sources] < self.stages[targets])
        pairs = zip(sources[chosen].tolist(), self.stages[targets[chosen]].tolist(), strict=True)
        return set(pairs)

    def _schedule_passes(self) -> None:
        """Work out who reads what, and when it is read last."""
        t, live = self._topology, self._topology.live
        order = np.lexsort((np.arange(t.num_nodes), t.levels))
        self._order = [int(i) for i in order if live[i]]
        self._reads: dict[int, tuple[Tensor, list[_Part]]] = {}
        last_reader: dict[_Part, int] = {}
        for i in self._order:
            row = np.arange(t.indptr[i], t.indptr[i + 1])
            row = row[live[t.sources[row]]]
            parts = [(int(source), int(self.stages[i])) for source in t.sources[row]]
            self._reads[i] = torch.from_numpy(row.astype(np.int64)), parts
            last_reader.update(dict.fromkeys(parts, i))
        self._done_with: dict[int, list[_Part]] = {i: [] for i in self._order}
        self._reduced: dict[int, list[int]] = {i: [] for i in self._order}
        self._read_as_is = dict.fromkeys(self._order, False)
        for (source, stage), reader in last_reader.items():
            self._done_with[reader].append((source, stage))
            if stage > self.stages[source]:
                self._reduced[source].append(stage)
            else:
                self._read_as_is[source] = True

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, inputs, ...) to (batch, outputs).

        Notes
        -----
        What a node gives is reduced at once for all stages that read it, and let go when its last
        reader is done. So without gradients only what is still to be read is in memory.
        """
        weight = torch.tanh(self.edge_weight)
        maps: dict[_Part, Tensor] = {}
        for i in self._order:
            edges, parts = self._reads[i]
            if parts:
                x = weighted_sum(weight[edges.to(weight.device)], [maps[part] for part in parts])
            x = self.blocks[str(i)](x)
            if self._read_as_is[i]:
                maps[i, int(self.stages[i])] = x
            for stage in self._reduced[i]:
                maps[i, stage] = self.reductions[f"{i}-{stage}"](x)
            for part in self._done_with[i]:
                del maps[part]
        # All live nodes lead to the output, so it is the last.
        out: Tensor = self.exit(x)
        return out

    def rewire_(
        self, topology: Topology, optimizer: torch.optim.Optimizer | None = None
    ) -> NDArray[np.int64]:
        """Take edges out in place; blocks and reductions that nothing needs any more go too.

        Parameters
        ----------
        topology : Topology
            Over the same nodes and roles, without an edge that is not there yet.
        optimizer : torch.optim.Optimizer, optional
            Its state per edge is carried; that of blocks which go is dropped.

        Returns
        -------
        ndarray of int64, shape (new edges,)
            Position of each edge that is left in the old edge order.

        Raises
        ------
        EngineError
            If an edge is new, nodes or roles differ, or no path is left from the input to the
            output; the network is then as before.
        """
        old = self._topology
        same = (
            topology.num_nodes == old.num_nodes
            and np.array_equal(topology.inputs, old.inputs)
            and np.array_equal(topology.outputs, old.outputs)
        )
        positions = topology.edge_positions_in(old) if same else np.array([-1])
        if not same or (positions < 0).any():
            raise EngineError(
                f"expected edges of {old!r} with the same nodes and roles, got {topology!r}; an "
                "edge that comes needs blocks that may be gone: build a new BlockDAG"
            )
        if not topology.live[topology.outputs[0]]:
            raise EngineError("topology: no path leads from the input to the output")
        kept = torch.from_numpy(positions).to(self.edge_weight.device)
        count = old.num_edges
        state = {} if optimizer is None else optimizer.state.get(self.edge_weight, {})
        for key, value in state.items():
            if isinstance(value, Tensor) and value.shape == (count,):
                state[key] = value[kept]
        with torch.no_grad():
            replace_values(self.edge_weight, self.edge_weight.data[kept])
        self._topology = topology
        live = topology.live
        jumps = {f"{source}-{stage}" for source, stage in self._jumps()}
        gone = [
            *(self.blocks.pop(key) for key in list(self.blocks) if not live[int(key)]),
            *(self.reductions.pop(key) for key in list(self.reductions) if key not in jumps),
        ]
        if optimizer is not None:
            _forget(optimizer, [p for module in gone for p in module.parameters()])
        self._schedule_passes()
        return positions


def _forget(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter]) -> None:
    """Take parameters and their state out of an optimizer."""
    gone = {id(parameter) for parameter in parameters}
    for group in optimizer.param_groups:
        group["params"] = [p for p in group["params"] if id(p) not in gone]
    for parameter in parameters:
        optimizer.state.pop(parameter, None)


def _stages(
    topology: Topology, stages: int | Sequence[int] | NDArray[np.integer]
) -> NDArray[np.int64]:
    n = topology.num_nodes
    if isinstance(stages, (int, np.integer)):
        if not 1 <= stages <= n:
            raise EngineError(f"stages: expected 1 to {n}, got {stages}")
        order = np.lexsort((np.arange(n), topology.levels))
        found = np.empty(n, dtype=np.int64)
        found[order] = np.arange(n) * stages // n
    else:
        given = np.asarray(stages)
        if given.shape != (n,) or given.dtype.kind not in "iu" or given.min(initial=0) < 0:
            raise EngineError(f"stages: expected {n} whole numbers of at least 0, got {stages!r}")
        found = given.astype(np.int64)
    falling = found[topology.sources] > found[topology.targets]
    if falling.any():
        source, target = topology.edges[np.flatnonzero(falling)[0]]
        raise EngineError(
            f"stages: edge {source} -> {target} leads from stage {found[source]} back to "
            f"{found[target]}; feature maps only shrink"
        )
    return found


def _check(topology: Topology, channels: int, growth: int, edge_start: float) -> None:
    problems = []
    if not topology.is_acyclic:
        problems.append("topology: expected a graph without cycles")
    elif len(topology.inputs) != 1 or len(topology.outputs) != 1:
        problems.append(
            f"topology: expected one input and one output, got {len(topology.inputs)} and "
            f"{len(topology.outputs)}; give it roles by with_roles"
        )
    elif not topology.live[topology.outputs[0]]:
        problems.append("topology: no path leads from the input to the output")
    elif topology.in_degree[topology.inputs[0]]:
        problems.append("topology: expected no edge into the input")
    if channels < 1:
        problems.append(f"channels: expected at least 1, got {channels}")
    if growth < 1:
        problems.append(f"growth: expected at least 1, got {growth}")
    if not -1 < edge_start < 1:
        problems.append(f"edge_start: expected between -1 and 1, got {edge_start}")
    if problems:
        raise EngineError("; ".join(problems))
