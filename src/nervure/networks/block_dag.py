"""`BlockDAG`: a DAG whose nodes are blocks and whose edges carry weighted feature maps."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nervure.errors import EngineError, ModelFileError
from nervure.networks import stored_topology
from nervure.networks.block_design import EDGE_START, Design, Part, Stages
from nervure.networks.block_schedule import Given, Schedule
from nervure.networks.blocks import Block, Exit, weighted_sum
from nervure.networks.image_layout import channels_last, rows_as_images
from nervure.networks.parameters import count_parameters, replace_values
from nervure.networks.recomputing import recomputed
from nervure.topology import Topology


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
    inputs : int, optional
        Channels (or features) of the data; 3, or the colours of `image_shape`.
    outputs : int
    node, reduce, entry : str or callable (inputs, outputs, stride) -> Module
        What stands at a node, at a reduction and at the input node; `reduce` and `entry` are made
        by `node` if not given. "conv" (`ConvBlock`), "mlp" (`MLPBlock`), a name that
        `register_block` made known, or a callable, which must be one that pickles if the network
        is to.
    exit_ : str or callable (inputs, outputs) -> Module
        What follows the output node: "pooled_linear" (`PooledLinear`), a name that `register_exit`
        made known, or a callable.
    growth : int
        Factor by which widths grow with a stage, and sides shrink.
    edge_start : float
        tanh of all weights at the start; they are all equal, so that no wiring is preferred.
    entry_stride : int
        Factor by which the input block shrinks the sides.
    image_shape : tuple of int, optional
        (height, width) or (height, width, colours): the network then takes rows of that many flat
        pixels too, in this order.
    recompute : bool
        Whether in training only what nodes and reductions give is held, and what is inside of them
        computed again in the backward pass. Values, gradients and the statistics of normalisations
        are the same; hooks of blocks run twice. Compilers decide this for themselves.
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
    ``state_dict()`` carries the topology. ``load_state_dict`` rebuilds it, over the same nodes and
    roles: blocks that are missing are made anew, and those that nothing needs go. An optimizer
    hears of neither; make it after loading.

    Feature maps are in torch's channels_last format, in which convolutions are faster on a CPU.

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
        stages: Stages = 1,
        channels: int = 11,
        *,
        inputs: int | None = None,
        outputs: int = 10,
        node: str | Block = "conv",
        reduce: str | Block | None = None,
        entry: str | Block | None = None,
        exit_: str | Exit = "pooled_linear",
        growth: int = 2,
        edge_start: float = EDGE_START,
        entry_stride: int = 1,
        image_shape: Sequence[int] | None = None,
        recompute: bool = False,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        self._design = Design.checked(
            topology, stages, channels, inputs=inputs, outputs=outputs, growth=growth,
            edge_start=edge_start, entry_stride=entry_stride, image_shape=image_shape, node=node,
            reduce=reduce, entry=entry, exit_=exit_,
        )  # fmt: skip
        self.recompute = bool(recompute)
        self.edge_weight = nn.Parameter(torch.full((topology.num_edges,), math.atanh(edge_start)))
        self.blocks, self.reductions = nn.ModuleDict(), nn.ModuleDict()
        with torch.random.fork_rng(enabled=seed is not None):
            if seed is not None:
                torch.manual_seed(seed)
            self._take_wiring(topology)
            self.exit = self._design.make_exit(topology)

    @property
    def topology(self) -> Topology:
        """What is wired."""
        return self._topology

    @property
    def design(self) -> Design:
        """What does not depend on the edges: stages, widths, and what stands where."""
        return self._design

    @property
    def stages(self) -> NDArray[np.int64]:
        """Stage of each node, shape (nodes,)."""
        return self._design.stages

    @property
    def channels(self) -> int:
        """Width of the first stage."""
        return self._design.channels

    @property
    def growth(self) -> int:
        """Factor by which widths grow with a stage."""
        return self._design.growth

    def width(self, stage: int) -> int:
        """Channels of a stage."""
        return self._design.width(stage)

    def config(self) -> dict[str, Any]:
        """Arguments that build a network of the same shape; the rest is in its state dict.

        Raises
        ------
        EngineError
            If a block or the exit was not given by name and none is registered for it.
        """
        return {**self._design.config(), "recompute": self.recompute}

    @property
    def num_parameters(self) -> int:
        """Weights and biases of what is live, and one weight per edge."""
        return count_parameters(self)

    @property
    def strengths(self) -> NDArray[np.float64]:
        """|tanh w| of each edge, shape (edges,)."""
        strengths: NDArray[np.float64] = (
            torch.tanh(self.edge_weight.detach()).abs().double().cpu().numpy()
        )
        return strengths

    def _take_wiring(self, topology: Topology) -> list[nn.Module]:
        """Make what a wiring needs and has not, and give what it does not need any more."""
        self._topology = topology
        self._schedule = Schedule.of(topology, self.stages)
        gone = self._refill(self.blocks, self._design.blocks(topology))
        return gone + self._refill(self.reductions, self._design.reductions(topology))

    def _refill(self, modules: nn.ModuleDict, parts: Iterable[tuple[str, Part]]) -> list[nn.Module]:
        present = dict(modules.items())
        modules.clear()
        for key, part in parts:
            module = present.pop(key, None)
            modules[key] = self._design.make(part) if module is None else module
        return list(present.values())

    def forward(self, x: Tensor) -> Tensor:
        """Map a batch to (batch, outputs).

        Parameters
        ----------
        x : Tensor, shape (batch, inputs, ...)
            Or (batch, pixels) if there is an `image_shape`.

        Returns
        -------
        Tensor, shape (batch, outputs)

        Raises
        ------
        EngineError
            If there are not as many pixels as an image of that shape has.

        Notes
        -----
        What a node gives is reduced at once for all stages that read it, and let go when its last
        reader is done. So without gradients only what is still to be read is in memory.
        """
        if x.ndim == 2 and self._design.image_shape is not None:
            x = rows_as_images(x, self._design.image_shape)
        x = channels_last(x)
        # A compiler decides for itself what it computes again.
        again = self.recompute and torch.is_grad_enabled() and not torch.compiler.is_compiling()
        call = recomputed if again else _called
        weight = torch.tanh(self.edge_weight)
        plan = self._schedule
        maps: dict[Given, Tensor] = {}
        for i in plan.order:
            edges, given = plan.reads[i]
            block = self.blocks[str(i)]
            if given:
                factors = weight[edges.to(weight.device)]
                # The last node's map is in `maps` if anybody reads it.
                del x
                x = call(partial(_of_sum, block), block, factors, *[maps[part] for part in given])
            else:
                # A single channel is in all formats at once, and the block's choice is open.
                x = channels_last(call(block, block, x))
            if plan.read_as_is[i]:
                maps[i, plan.stages[i]] = x
            for stage in plan.reduced[i]:
                reduction = self.reductions[f"{i}-{stage}"]
                maps[i, stage] = call(reduction, reduction, x)
            for part in plan.done_with[i]:
                del maps[part]
        # All live nodes lead to the output, so it is the last.
        out: Tensor = self.exit(x)
        return out

    def compact(self) -> BlockDAG:
        """Give a copy for prediction, without edges that lead nowhere; the outputs are equal."""
        network = copy.deepcopy(self)
        network.rewire_(self.topology.trimmed())
        return network

    def renewed(self, *, channels: int | None = None, seed: int | None = None) -> BlockDAG:
        """Make a network of the same wiring with weights as at the start, all edges equal.

        Parameters
        ----------
        channels : int, optional
            Width of the first stage; as it is by default.
        seed : int, optional
            As for `BlockDAG`.

        Returns
        -------
        BlockDAG
            In the place and precision of this one.

        See Also
        --------
        fitted_channels : How many channels a number of parameters allows.
        """
        arguments = self._design.arguments()
        if channels is not None:
            arguments["channels"] = channels
        network = BlockDAG(self._topology, **arguments, recompute=self.recompute, seed=seed)
        return network.to(self.edge_weight.device, self.edge_weight.dtype)

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
        alike = _alike(topology, old)
        positions = topology.edge_positions_in(old) if alike else np.array([-1])
        if not alike or (positions < 0).any():
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
        gone = self._take_wiring(topology)
        if optimizer is not None:
            _forget(optimizer, [p for module in gone for p in module.parameters()])
        return positions

    # -- saving ----------------------------------------------------------------------------------

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination.update(stored_topology.wiring_to_state(self._topology, prefix))

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Any],
        prefix: str,
        local_metadata: Mapping[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        stored = stored_topology.wiring_from_state(state_dict, prefix)
        if isinstance(stored, Topology):
            self._take_stored(stored, state_dict.get(f"{prefix}edge_weight"))
        elif strict:
            missing_keys.extend(stored)
        own = f"{prefix}topology."
        rest = {key: value for key, value in state_dict.items() if not key.startswith(own)}
        super()._load_from_state_dict(
            rest, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )

    def _take_stored(self, topology: Topology, weight: Tensor | None) -> None:
        """Put a saved wiring in place of the present one."""
        if not _alike(topology, self._topology):
            raise ModelFileError(
                f"the saved graph is {topology!r}, with other nodes or roles than those of "
                f"{self._topology!r}; build the BlockDAG with the nodes and roles it was saved with"
            )
        if weight is not None and weight.shape != (topology.num_edges,):
            raise ModelFileError(
                f"the saved network has {topology.num_edges} edges, and weights of shape "
                f"{tuple(weight.shape)}; expected one weight for each"
            )
        if topology == self._topology:
            return
        self._design.check_wiring(topology)
        before = self._topology
        data = self.edge_weight.data
        values = data.new_zeros(topology.num_edges)
        positions = torch.from_numpy(topology.edge_positions_in(before))
        values[positions >= 0] = data[positions[positions >= 0]]
        # The same parameter: rules and optimizers hold it.
        replace_values(self.edge_weight, values)
        known = {*self.blocks, *self.reductions}
        # What is made anew is overwritten by the state; torch's generator stays where it is.
        with torch.random.fork_rng():
            self._take_wiring(topology)
        for key, module in (*self.blocks.items(), *self.reductions.items()):
            if key not in known:
                module.to(values.device, values.dtype).train(self.training)


def _called(function: Callable[..., Tensor], module: nn.Module, *x: Tensor) -> Tensor:
    """Call a function; the counterpart of `recomputed`."""
    del module
    return function(*x)


def _of_sum(block: nn.Module, weight: Tensor, *maps: Tensor) -> Tensor:
    """Run a node: its block on the weighted sum of what it reads."""
    out: Tensor = block(weighted_sum(weight, list(maps)))
    return out


def _alike(one: Topology, other: Topology) -> bool:
    """Whether two graphs have the same nodes and roles."""
    return (
        one.num_nodes == other.num_nodes
        and np.array_equal(one.inputs, other.inputs)
        and np.array_equal(one.outputs, other.outputs)
    )


def _forget(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter]) -> None:
    """Take parameters and their state out of an optimizer."""
    gone = {id(parameter) for parameter in parameters}
    for group in optimizer.param_groups:
        group["params"] = [p for p in group["params"] if id(p) not in gone]
    for parameter in parameters:
        optimizer.state.pop(parameter, None)
