"""`Population`: many layers side by side as one graph, swept at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nervure.errors import EngineError, ModelFileError
from nervure.networks import stored_topology
from nervure.networks.graph_layer import GraphLayer
from nervure.networks.parameters import replace_values
from nervure.topology import Topology

# What one sweep does alike for all members.
_OPTIONS = ("leak", "input_bias", "backend", "tolerance", "max_sweeps", "on_failure")


class Population(nn.Module):
    """Layers trained side by side: their disjoint union is one topology and one sweep.

    Members stay layers of their own, whose weights and biases lie in the union's. So each can have
    its own optimizer and rule; what one does never touches another.

    Parameters
    ----------
    members : sequence of GraphLayer
        Each given once: sparse, without blocks or contraction, in one place and of one dtype, with
        biases in all or in none, and the same leak, input_bias, backend, tolerance, max_sweeps and
        on_failure. They are taken over, not copied.

    Attributes
    ----------
    members : list of GraphLayer
    layer : GraphLayer
        Their union.

    Raises
    ------
    EngineError
        If there is none, or they are not alike in what the union needs.

    Notes
    -----
    A pass costs what the members' edges cost together; with few samples, threads share the members.

    Examples
    --------
    >>> import torch
    >>> from nervure import GraphLayer, Topology
    >>> from nervure.networks import Population
    >>> members = [GraphLayer(Topology.layered([4, width, 2])) for width in (8, 30)]
    >>> population = Population(members)
    >>> optimizers = [torch.optim.SGD(member.parameters(), lr=0.1) for member in members]
    >>> x, y = torch.randn(16, 4), torch.randint(2, (16,))
    >>> losses = [torch.nn.functional.cross_entropy(out, y) for out in population(x)]
    >>> torch.stack(losses).sum().backward()
    >>> population.hand_out()
    >>> for optimizer in optimizers:
    ...     optimizer.step()
    >>> population.take_in()
    """

    def __init__(self, members: Sequence[GraphLayer]) -> None:
        super().__init__()
        _check(members)
        self.members = list(members)
        self.layer = self._union()
        self._share()
        self.register_load_state_dict_post_hook(  # type: ignore[no-untyped-call]
            type(self)._take_loaded
        )

    def __len__(self) -> int:
        return len(self.members)

    def _union(self) -> GraphLayer:
        first = self.members[0]
        topologies = [member.topology for member in self.members]
        return GraphLayer(
            topologies[0].union(*topologies[1:]),
            activation=[name for member in self.members for name in member.activation],
            bias=first.bias is not None,
            inputs=self._roles("inputs"),
            outputs=self._roles("outputs"),
            input_bias=first.input_bias,
            backend=first.backend,
            tolerance=first.tolerance,
            max_sweeps=first.max_sweeps,
            leak=first.leak,
            on_failure=first.on_failure,
            generator=torch.Generator().manual_seed(0),
            device=first.weight.device,
            dtype=first.weight.dtype,
        )

    def _roles(self, name: str) -> NDArray[np.int32]:
        """Give the members' nodes in a role, in their order, by the numbers of the union."""
        starts = np.cumsum([0] + [member.topology.num_nodes for member in self.members[:-1]])
        return np.concatenate(
            [
                getattr(member.plan, name) + np.int32(start)
                for member, start in zip(self.members, starts, strict=True)
            ]
        )

    @torch.no_grad()
    def _share(self) -> None:
        """Lay the members' parameters into the union's."""
        for name in ("weight", "bias"):
            whole: nn.Parameter | None = getattr(self.layer, name)
            if whole is None:
                continue
            parts: list[nn.Parameter] = [getattr(member, name) for member in self.members]
            replace_values(whole, torch.cat([part.data for part in parts]))
            pieces = whole.data.split([len(part) for part in parts])
            for part, piece in zip(parts, pieces, strict=True):
                part.data = piece

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Population:
        """Take members along to another device or dtype."""
        for member in self.members:
            member._apply(fn)  # type: ignore[no-untyped-call]
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._share()
        return self

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Any],
        prefix: str,
        *others: Any,  # noqa: ANN401
    ) -> None:
        # Before the union and then member after member takes what is in it.
        wiring = stored_topology.wiring_from_state(state_dict, f"{prefix}layer.")
        if isinstance(wiring, Topology):
            self._check_stored(wiring)
        super()._load_from_state_dict(state_dict, prefix, *others)

    def _check_stored(self, union: Topology) -> None:
        """Refuse a wiring that does not fall apart into members of these sizes."""
        sizes = [member.topology.num_nodes for member in self.members]
        fits = union.num_nodes == sum(sizes)
        if fits:
            owner = np.repeat(np.arange(len(sizes)), sizes)
            fits = np.array_equal(owner[union.sources], owner[union.targets])
            for name in ("inputs", "outputs"):
                saved = np.bincount(owner[getattr(union, name)], minlength=len(sizes))
                own = [len(getattr(member.plan, name)) for member in self.members]
                fits = fits and np.array_equal(saved, own)
        if not fits:
            raise ModelFileError(
                "the saved population has members of other sizes, or in another order; build it "
                "with those it was saved with"
            )

    def _take_loaded(self, *_: object) -> None:
        """Give the members what a state dict has brought into the union."""
        plan, values = self.layer.plan, self.layer.state_dict()
        start = 0
        for member in self.members:
            nodes = slice(start, start + member.topology.num_nodes)
            rows = plan.topology.indptr[start : nodes.stop + 1]
            edges = slice(int(rows[0]), int(rows[-1]))
            arrays = (
                rows - rows[0],
                plan.topology.sources[edges] - np.int32(start),
                _within(plan.inputs, nodes),
                _within(plan.outputs, nodes),
                plan.codes[nodes],
                np.int32(1),
            )
            keys = (f"topology.{key}" for key in stored_topology.KEYS)
            state = dict(zip(keys, map(torch.tensor, arrays), strict=True))
            state["weight"] = values["weight"][edges]
            if member.bias is not None:
                state["bias"] = values["bias"][nodes]
            member.load_state_dict(state)
            start = nodes.stop
        self._share()

    def forward(self, x: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Run every member.

        Parameters
        ----------
        x : Tensor, shape (batch, inputs), or a sequence of them
            The same for all members, or one each, of as many samples.

        Returns
        -------
        tuple of Tensor, shape (batch, outputs)
            One per member.
        """
        given = [x] * len(self) if isinstance(x, Tensor) else list(x)
        wanted = [member.plan.num_inputs for member in self.members]
        if [part.shape[-1] for part in given] != wanted:
            raise EngineError(
                f"x: expected {_few(wanted)} inputs of the {len(self)} members, got "
                f"{_few([part.shape[-1] for part in given])}"
            )
        out: Tensor = self.layer(torch.cat(given, dim=-1))
        sizes = [member.plan.num_outputs for member in self.members]
        return tuple(torch.split(out, sizes, dim=-1))

    def hand_out(self) -> None:
        """Give every member its part of the gradient, after a backward pass."""
        for name in ("weight", "bias"):
            whole: nn.Parameter | None = getattr(self.layer, name)
            if whole is None or whole.grad is None:
                continue
            parts: list[nn.Parameter] = [getattr(member, name) for member in self.members]
            pieces = whole.grad.split([len(part) for part in parts])
            for part, piece in zip(parts, pieces, strict=True):
                part.grad = piece
            whole.grad = None

    def take_in(self) -> None:
        """Take up what optimizers and rules have made of the members.

        Values changed in place are in the union already; where a member was rewired, the union is
        made anew.
        """
        if self._is_union():
            return
        self.layer = self._union()
        self._share()

    def _is_union(self) -> bool:
        """Whether the union has the members' wiring and holds their values."""
        whole, union = self.layer, self.layer.topology
        node = edge = 0
        for member in self.members:
            t = member.topology
            rows = union.indptr[node : node + t.num_nodes + 1]
            own = slice(edge, edge + t.num_edges)
            held = _begins_at(member.weight, whole.weight, edge)
            if whole.bias is not None and member.bias is not None:
                held = held and _begins_at(member.bias, whole.bias, node)
            if not (
                held
                and np.array_equal(rows - edge, t.indptr)
                and np.array_equal(union.sources[own] - node, t.sources)
            ):
                return False
            node, edge = node + t.num_nodes, own.stop
        return edge == union.num_edges

    def select(self, members: Iterable[int]) -> Population:
        """Make the population of some members, which leave this one.

        Parameters
        ----------
        members : iterable of int
            Their numbers; those left out keep values of their own.
        """
        chosen = list(members)
        population = Population([self.members[i] for i in chosen])
        with torch.no_grad():
            for i in set(range(len(self))) - set(chosen):
                for part in self.members[i].parameters():
                    part.data = part.data.clone()
        return population


def _within(role: NDArray[np.int32], nodes: slice) -> NDArray[np.int32]:
    """Give the nodes of a role that are a member's, by its own numbers."""
    mine: NDArray[np.int32] = role[(role >= nodes.start) & (role < nodes.stop)]
    return mine - np.int32(nodes.start)


def _begins_at(part: Tensor, whole: Tensor, offset: int) -> bool:
    """Whether a part's values are those of a whole from an offset on; nothing is anywhere."""
    return not len(part) or part.data_ptr() == whole.data_ptr() + offset * whole.element_size()


def _check(members: Sequence[GraphLayer]) -> None:
    if not members:
        raise EngineError("members: expected at least one layer, got none")
    first = members[0]
    problems = []
    if len({id(member) for member in members}) < len(members):
        problems.append("members: expected each layer once, got one twice; copy it (copy.deepcopy)")
    for i, member in enumerate(members):
        if member.storage != "sparse" or member.block != 1 or member.contraction is not None:
            problems.append(f"member {i}: expected sparse storage without blocks or contraction")
        if member.weight.dtype != first.weight.dtype:
            problems.append(f"member {i}: expected {first.weight.dtype}, got {member.weight.dtype}")
        if (member.bias is None) != (first.bias is None):
            problems.append(f"member {i}: expected biases in all members or in none")
        if member.weight.device != first.weight.device:
            problems.append(
                f"member {i}: expected it on {first.weight.device}, got {member.weight.device}"
            )
        other = [name for name in _OPTIONS if getattr(member, name) != getattr(first, name)]
        if other:
            problems.append(f"member {i}: expected the {' and '.join(other)} of the first member")
    if problems:
        more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise EngineError("; ".join(problems[:3]) + more)


def _few(values: Sequence[int]) -> str:
    shown = ", ".join(str(v) for v in np.unique(values)[:5])
    return shown + (", ..." if len(set(values)) > 5 else "")
