"""How the parts of a `BlockDAG` are made: stages, widths, and what stands where."""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nervure.errors import EngineError
from nervure.networks.blocks import BLOCKS, EXITS, Block, Exit
from nervure.networks.parameters import count_parameters
from nervure.topology import Topology

Stages = int | Sequence[int] | NDArray[np.integer]
# tanh of an edge's weight at the start.
EDGE_START = 0.5
_COLOURS = 3
# More channels than any tensor can have; before powers of the growth get out of hand.
_WIDEST = 2**31


class Part(NamedTuple):
    """What a block or a reduction is made of."""

    kind: str
    inputs: int
    outputs: int
    stride: int


@dataclass(frozen=True, eq=False)
class Design:
    """What of a `BlockDAG` does not depend on its edges.

    Attributes
    ----------
    stages : ndarray of int64, shape (nodes,)
    channels, inputs, outputs, growth, edge_start, entry_stride, image_shape
        As `BlockDAG` has them, with `inputs` known.
    node, reduce, entry, exit_
        As `BlockDAG` has them.
    """

    stages: NDArray[np.int64]
    channels: int
    inputs: int
    outputs: int
    growth: int
    edge_start: float
    entry_stride: int
    image_shape: tuple[int, ...] | None
    node: str | Block
    reduce: str | Block | None
    entry: str | Block | None
    exit_: str | Exit

    @classmethod
    def checked(
        cls,
        topology: Topology,
        stages: Stages,
        channels: int,
        *,
        inputs: int | None,
        outputs: int,
        growth: int,
        entry_stride: int,
        edge_start: float = EDGE_START,
        image_shape: Sequence[int] | None,
        node: str | Block,
        reduce: str | Block | None,
        entry: str | Block | None,
        exit_: str | Exit,
    ) -> Design:
        """Make it of the arguments of a `BlockDAG`.

        Raises
        ------
        EngineError
            If the graph or an argument does not fit.
        """
        problems = _problems_of(topology)
        sizes = {
            "channels": channels,
            "outputs": outputs,
            "growth": growth,
            "entry_stride": entry_stride,
        } | ({} if inputs is None else {"inputs": inputs})
        for name, size in sizes.items():
            if operator.index(size) < 1:
                problems.append(f"{name}: expected at least 1, got {size}")
            elif size >= _WIDEST:
                problems.append(f"{name}: expected less than {_WIDEST}, got {size}")
        shape = None if image_shape is None else tuple(map(operator.index, image_shape))
        if shape is not None and (
            len(shape) not in (2, 3) or not 1 <= min(shape) <= max(shape) < _WIDEST
        ):
            problems.append(
                "image_shape: expected (height, width) or (height, width, colours), got "
                f"{image_shape!r}"
            )
        if not -1 < edge_start < 1:
            problems.append(f"edge_start: expected between -1 and 1, got {edge_start}")
        if problems:
            raise EngineError("; ".join(problems))
        colours = _COLOURS if shape is None else (*shape, 1)[2]
        if shape is not None and inputs not in (None, colours):
            raise EngineError(
                f"inputs: expected {colours}, the colours of image_shape {shape}, got {inputs}; "
                "leave it out"
            )
        for what, block in (("node", node), ("reduce", reduce), ("entry", entry)):
            if block is not None:
                BLOCKS.get(block, what)
        EXITS.get(exit_, "exit_")
        found = _stages(topology, stages)
        top = int(found[topology.live].max())
        if math.log2(channels) + top * math.log2(growth) >= math.log2(_WIDEST):
            raise EngineError(
                f"channels, growth: {channels} channels that grow by {growth} with each stage are "
                f"too many in stage {top}; take less of either, or fewer stages"
            )
        return cls(
            found, channels, colours if inputs is None else inputs, outputs, growth,
            float(edge_start), entry_stride, shape, node, reduce, entry, exit_,
        )  # fmt: skip

    def check_wiring(self, topology: Topology) -> None:
        """Check another wiring over the same nodes.

        Raises
        ------
        EngineError
            If it has a cycle, no path, other roles than one input and one output, or an edge that
            leads to an earlier stage.
        """
        problems = _problems_of(topology)
        if problems:
            raise EngineError("; ".join(problems))
        _stages(topology, self.stages)

    def width(self, stage: int) -> int:
        """Channels of a stage."""
        return self.channels * int(self.growth**stage)

    def blocks(self, topology: Topology) -> Iterator[tuple[str, Part]]:
        """Go through the live nodes: key and part of each one's block."""
        first = int(topology.inputs[0])
        for i in np.flatnonzero(topology.live):
            width = self.width(int(self.stages[i]))
            if i == first:
                yield str(i), Part("entry", self.inputs, width, self.entry_stride)
            else:
                yield str(i), Part("node", width, width, 1)

    def reductions(self, topology: Topology) -> Iterator[tuple[str, Part]]:
        """Go through the live nodes that are read in later stages: key and part of each stage."""
        sources, targets, live = topology.sources, topology.targets, topology.live
        later = self.stages[sources] < self.stages[targets]
        chosen = live[sources] & live[targets] & later
        jumps = np.column_stack((sources[chosen], self.stages[targets[chosen]]))
        for source, stage in np.unique(jumps, axis=0).tolist():
            at = int(self.stages[source])
            stride = self.growth ** (stage - at)
            yield f"{source}-{stage}", Part("reduce", self.width(at), self.width(stage), stride)

    def make(self, part: Part) -> nn.Module:
        """Make a block or a reduction."""
        special = {"entry": self.entry, "reduce": self.reduce}.get(part.kind)
        block = self.node if special is None else special
        return BLOCKS.get(block, part.kind)(part.inputs, part.outputs, part.stride)

    def make_exit(self, topology: Topology) -> nn.Module:
        """Make what follows the output node."""
        last = int(self.stages[topology.outputs[0]])
        return EXITS.get(self.exit_, "exit_")(self.width(last), self.outputs)

    def arguments(self) -> dict[str, Any]:
        """Give the arguments of a `BlockDAG` that this was made of, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def config(self) -> dict[str, Any]:
        """Give the arguments as JSON.

        Raises
        ------
        EngineError
            If a block or the exit has no name.
        """
        blocks = {"node": self.node, "reduce": self.reduce, "entry": self.entry}
        return {
            "stages": self.stages.tolist(),
            "channels": self.channels,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "growth": self.growth,
            "edge_start": self.edge_start,
            "entry_stride": self.entry_stride,
            "image_shape": None if self.image_shape is None else list(self.image_shape),
            **{
                what: None if block is None else BLOCKS.name_of(block, what)
                for what, block in blocks.items()
            },
            "exit_": EXITS.name_of(self.exit_, "exit_"),
        }


def num_parameters(topology: Topology, design: Design) -> int:
    """Count the parameters of a `BlockDAG`; no memory is taken for any of them."""
    kinds = Counter(part for _, part in design.blocks(topology))
    kinds.update(part for _, part in design.reductions(topology))
    with torch.device("meta"):
        blocks = sum(count * count_parameters(design.make(part)) for part, count in kinds.items())
        return topology.num_edges + blocks + count_parameters(design.make_exit(topology))


def state_shapes(topology: Topology, design: Design) -> Iterator[dict[str, tuple[int, ...]]]:
    """Go through the tensors that the state of a `BlockDAG` has besides its wiring.

    Yields
    ------
    dict of str to tuple of int
        Names and shapes of one part's tensors. No memory is taken for any of them.
    """
    yield {"edge_weight": (topology.num_edges,)}
    known: dict[Part, dict[str, tuple[int, ...]]] = {}
    for name, parts in (
        ("blocks", design.blocks(topology)),
        ("reductions", design.reductions(topology)),
    ):
        for key, part in parts:
            if part not in known:
                with torch.device("meta"):
                    known[part] = _shapes_of(design.make(part))
            yield {f"{name}.{key}.{tensor}": shape for tensor, shape in known[part].items()}
    with torch.device("meta"):
        exit_ = _shapes_of(design.make_exit(topology))
    yield {f"exit.{tensor}": shape for tensor, shape in exit_.items()}


def _shapes_of(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(values.shape) for name, values in module.state_dict().items()}


def _stages(topology: Topology, stages: Stages) -> NDArray[np.int64]:
    n = topology.num_nodes
    if isinstance(stages, (int, np.integer)):
        if not 1 <= stages <= n:
            raise EngineError(f"stages: expected 1 to {n}, got {stages}")
        order = np.lexsort((np.arange(n), topology.levels))
        found = np.empty(n, dtype=np.int64)
        found[order] = np.arange(n) * stages // n
    else:
        given = np.asarray(stages)
        whole = given.shape == (n,) and given.dtype.kind in "iu"
        found = given.astype(np.int64) if whole else np.array([-1])
        if found.min(initial=0) < 0:
            raise EngineError(f"stages: expected {n} whole numbers of at least 0, got {stages!r}")
    falling = found[topology.sources] > found[topology.targets]
    if falling.any():
        source, target = topology.edges[np.flatnonzero(falling)[0]]
        raise EngineError(
            f"stages: edge {source} -> {target} leads from stage {found[source]} back to "
            f"{found[target]}; feature maps only shrink"
        )
    return found


def _problems_of(topology: Topology) -> list[str]:
    if not topology.is_acyclic:
        return ["topology: expected a graph without cycles"]
    if len(topology.inputs) != 1 or len(topology.outputs) != 1:
        return [
            f"topology: expected one input and one output, got {len(topology.inputs)} and "
            f"{len(topology.outputs)}; give it roles by with_roles"
        ]
    if not topology.live[topology.outputs[0]]:
        return ["topology: no path leads from the input to the output"]
    if topology.in_degree[topology.inputs[0]]:
        return ["topology: expected no edge into the input"]
    return []
