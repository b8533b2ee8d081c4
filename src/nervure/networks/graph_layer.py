"""`GraphLayer`: a graph of neurons as a torch module."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nervure import engine
from nervure.engine import ops, sweeping
from nervure.engine.activations import DEFAULT_LEAK, NAMES, activation_codes
from nervure.engine.contraction import contracted
from nervure.engine.sweeping import Backend, OnFailure
from nervure.errors import EngineError, ModelFileError
from nervure.topology import Topology

Storage = Literal["sparse", "dense"]

_TOPOLOGY_KEYS = ("indptr", "sources", "inputs", "outputs", "activation")
# Standard deviation of initial weights times sqrt(incoming edges). Cycles need a contracting start;
# without cycles the usual variance-preserving factors hold.
_CYCLIC_SCALE = 0.5
_RECTIFIERS = {"relu", "leaky_relu", "gelu", "silu", "squared_relu"}


class GraphLayer(nn.Module):
    """Neurons wired by a topology: z = u + b + W a, a = f(z), solved in one engine call.

    Parameters
    ----------
    topology : Topology
        What is wired. Its inputs receive the drive u, its outputs are returned.
    activation : str or sequence of str
        Of all nodes, or of each: identity, relu, squared_relu, leaky_relu, tanh, sigmoid, gelu,
        silu.
    storage : {"sparse", "dense"}
        "sparse" keeps one weight per edge. "dense" keeps a matrix [target, source] with the biases
        on its diagonal, of which only the topology's edges take part in the sweep while *every*
        entry receives a gradient: what rules that grow edges by their weight need.
    bias : bool
        Whether nodes have biases (always, with dense storage).
    contraction : float, optional
        Between 0 and 1: after each rule step (or call of `project_`) the weights inside each
        component are scaled so that an equilibrium exists and is unique.
    backend, tolerance, max_sweeps, leak, on_failure
        As in `nervure.engine.sweep`.
    generator : torch.Generator, optional
        For the initial weights; torch's default generator if None.
    device, dtype
        Of the parameters.

    Attributes
    ----------
    weight : Parameter, shape (edges,) or (nodes, nodes)
    bias : Parameter, shape (nodes,), or None
    topology : Topology
        Change it with `rewire_`.
    status : SolveStatus or None
        How the last forward pass went.

    Notes
    -----
    A cycle means a steady state, never one step of delay per edge. ``state_dict()`` carries the
    topology, and ``load_state_dict`` rebuilds it.

    Examples
    --------
    >>> import torch
    >>> from nervure import GraphLayer, Topology
    >>> layer = GraphLayer(Topology.layered([4, 8, 2]), activation="relu")
    >>> layer(torch.randn(5, 4)).shape
    torch.Size([5, 2])
    """

    def __init__(
        self,
        topology: Topology,
        *,
        activation: str | Sequence[str] = "relu",
        storage: Storage = "sparse",
        bias: bool = True,
        contraction: float | None = None,
        backend: Backend = "auto",
        tolerance: float | None = None,
        max_sweeps: int = sweeping.DEFAULT_MAX_SWEEPS,
        leak: float = DEFAULT_LEAK,
        on_failure: OnFailure = "raise",
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        sweeping.check_options(tolerance, max_sweeps, leak, on_failure)
        if storage not in ("sparse", "dense"):
            raise EngineError(f"storage: expected 'sparse' or 'dense', got {storage!r}")
        if contraction is not None and not 0 < contraction < 1:
            raise EngineError(f"contraction: expected between 0 and 1, got {contraction}")
        if storage == "dense" and not bias:
            raise EngineError("dense storage keeps biases on the diagonal; bias=False needs sparse")
        self.storage: Storage = storage
        self.backend: Backend = backend
        self.tolerance = tolerance
        self.max_sweeps = max_sweeps
        self.leak = leak
        self.on_failure: OnFailure = on_failure
        self.contraction = contraction
        self._codes = activation_codes(activation, topology.num_nodes)
        self._last: tuple[Tensor, Tensor] | None = None
        self.set_topology_(topology)
        n = topology.num_nodes
        shape = (n, n) if storage == "dense" else (topology.num_edges,)
        self.weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        if storage == "sparse" and bias:
            self.bias: nn.Parameter | None = nn.Parameter(
                torch.empty(n, device=device, dtype=dtype)
            )
        else:
            self.register_parameter("bias", None)
        self.reset_parameters(generator)

    # -- parameters ------------------------------------------------------------------------------

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw new weights, N(0, s^2 / incoming edges), and zero biases.

        s is 0.5 on graphs with cycles, sqrt(2) for rectifiers and 1 for the rest without cycles.
        """
        topology = self.topology
        if not topology.is_acyclic:
            scale = _CYCLIC_SCALE
        else:
            names = {NAMES[code] for code in np.unique(self._codes)}
            scale = math.sqrt(2) if names & _RECTIFIERS else 1.0
        with torch.no_grad():
            self.weight.normal_(generator=generator)
            if self.storage == "dense":
                self.weight.mul_(scale / math.sqrt(max(1, topology.num_nodes)))
                self.weight.diagonal().zero_()
                return
            fan_in = np.maximum(topology.in_degree, 1)[topology.targets]
            self.weight.mul_(
                torch.from_numpy(scale / np.sqrt(fan_in)).to(self.weight.device, self.weight.dtype)
            )
            if self.bias is not None:
                self.bias.zero_()

    @property
    def edge_weight(self) -> Tensor:
        """Weights of the present edges in edge order, shape (edges,), detached."""
        weight = self.weight.detach()
        if self.storage == "sparse":
            return weight
        targets = torch.from_numpy(self.topology.targets.astype(np.int64))
        sources = torch.from_numpy(self.topology.sources.astype(np.int64))
        return weight[targets.to(weight.device), sources.to(weight.device)]

    @property
    def node_bias(self) -> Tensor:
        """Biases, shape (nodes,), detached; zeros where there are none."""
        if self.storage == "dense":
            return self.weight.detach().diagonal().clone()
        if self.bias is None:
            return torch.zeros(
                self.topology.num_nodes, device=self.weight.device, dtype=self.weight.dtype
            )
        return self.bias.detach()

    @property
    def activation(self) -> list[str]:
        """Name of every node's activation."""
        return [NAMES[code] for code in self._codes]

    # -- topology --------------------------------------------------------------------------------

    @property
    def topology(self) -> Topology:
        """What is wired."""
        return self._topology

    @property
    def plan(self) -> engine.Plan:
        """The execution plan of the present topology."""
        return self._plan

    def set_topology_(self, topology: Topology) -> None:
        """Put a wiring over the same nodes in place of the present one, weights untouched.

        For rules on dense storage, which rewire at every step and do not need to know which edges
        changed; `rewire_` is the careful way.
        """
        self._topology = topology
        self._plan = engine.build_plan(topology, self._codes)

    def rewire_(
        self, topology: Topology, optimizer: torch.optim.Optimizer | None = None
    ) -> NDArray[np.int64]:
        """Change the wiring in place.

        With sparse storage surviving edges keep their weights and new ones start at zero; with
        dense storage the matrix stays as it is.

        Parameters
        ----------
        topology : Topology
            The new wiring, over the same nodes and roles.
        optimizer : torch.optim.Optimizer, optional
            Its per-edge state (momentum, Adam moments) is carried for surviving edges and reset
            for new ones. Without it, an optimizer that already holds state for this layer keeps
            buffers of the old size and fails at its next step.

        Returns
        -------
        ndarray of int64, shape (new edges,)
            Position of each new edge in the old edge order, or -1.
        """
        old = self._topology
        same_roles = np.array_equal(old.inputs, topology.inputs) and np.array_equal(
            old.outputs, topology.outputs
        )
        if topology.num_nodes != old.num_nodes or not same_roles:
            raise EngineError(
                f"rewiring keeps nodes and roles: expected {old.num_nodes} nodes with the same "
                f"inputs and outputs, got {topology!r}; build a new GraphLayer instead"
            )
        positions = topology.edge_positions_in(old)
        if self.storage == "sparse":
            carry = _carrier(positions, old.num_edges)
            with torch.no_grad():
                self.weight.data = carry(self.weight.data)
            self.weight.grad = None
            if optimizer is not None:
                state = optimizer.state.get(self.weight, {})
                for key, value in state.items():
                    if isinstance(value, Tensor) and tuple(value.shape) == (old.num_edges,):
                        state[key] = carry(value)
        self.set_topology_(topology)
        return positions

    def project_(self) -> None:
        """Scale the weights inside components to satisfy `contraction`; nothing if it is None."""
        if self.contraction is None or self.topology.is_acyclic:
            return
        with torch.no_grad():
            before = self.edge_weight.cpu().numpy()
            after = contracted(self.topology, before, self._codes, self.contraction)
            changed = np.flatnonzero(after != before)
            if not len(changed):
                return
            values = torch.from_numpy(after[changed]).to(self.weight.device, self.weight.dtype)
            at = torch.from_numpy(changed).to(self.weight.device)
            if self.storage == "sparse":
                self.weight[at] = values
            else:
                t = torch.from_numpy(self.topology.targets[changed].astype(np.int64))
                s = torch.from_numpy(self.topology.sources[changed].astype(np.int64))
                self.weight[t.to(self.weight.device), s.to(self.weight.device)] = values

    def compact(self) -> GraphLayer:
        """Give the same layer with sparse storage; the outputs are equal."""
        with torch.no_grad():
            layer = GraphLayer(
                self.topology,
                activation=self.activation,
                contraction=self.contraction,
                backend=self.backend,
                tolerance=self.tolerance,
                max_sweeps=self.max_sweeps,
                leak=self.leak,
                on_failure=self.on_failure,
                device=self.weight.device,
                dtype=self.weight.dtype,
                generator=torch.Generator(self.weight.device),
            )
            layer.weight.copy_(self.edge_weight)
            cast(Tensor, layer.bias).copy_(self.node_bias)
        return layer.train(self.training)

    # -- forward ---------------------------------------------------------------------------------

    @property
    def status(self) -> engine.SolveStatus | None:
        """How the last forward pass went, or None before the first."""
        return None if self._last is None else sweeping.status_of(*self._last)

    def forward(self, drive: Tensor) -> Tensor:
        """Solve the graph for a batch.

        Parameters
        ----------
        drive : Tensor, shape (..., inputs)
            u of the input nodes. Under autocast it is cast to the dtype of the weights.

        Returns
        -------
        Tensor, shape (..., outputs)
        """
        lead = drive.shape[:-1]
        rows = drive.reshape(-1, drive.shape[-1]).to(self.weight.dtype)
        plan = self._plan
        sweeping.check_arguments(plan, rows, self.weight, self.bias)
        output, _state, _slope, converged, stats = cast(
            tuple[Tensor, ...],
            ops.sweep(
                rows,
                self.weight,
                self.bias,
                plan.packed,
                plan.nodes,
                plan.num_outputs,
                plan.keeps_slope,
                sweeping.choose_backend(self.backend, rows),
                sweeping.default_tolerance(rows.dtype)
                if self.tolerance is None
                else self.tolerance,
                self.max_sweeps,
                self.leak,
                self.on_failure == "raise",
            ),
        )
        if not torch.compiler.is_compiling():
            self._last = (converged, stats)
        return output.reshape(*lead, plan.num_outputs)

    def extra_repr(self) -> str:
        """Describe the layer on one line."""
        names = sorted({NAMES[code] for code in self._codes})
        return f"{self.topology!r}, activation={'/'.join(names)}, storage={self.storage}"

    # -- saving ----------------------------------------------------------------------------------

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        t = self.topology
        arrays = (t.indptr, t.sources, t.inputs, t.outputs, self._codes)
        for key, array in zip(_TOPOLOGY_KEYS, arrays, strict=True):
            destination[f"{prefix}topology.{key}"] = torch.from_numpy(array.copy())

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
        own = {f"{prefix}topology.{key}" for key in _TOPOLOGY_KEYS}
        present = [key for key in own if key in state_dict]
        if len(present) == len(own):
            arrays = {
                key: np.ascontiguousarray(state_dict[f"{prefix}topology.{key}"].cpu().numpy())
                for key in _TOPOLOGY_KEYS
            }
            self._adopt(arrays, state_dict.get(f"{prefix}weight"))
        elif strict:
            missing_keys.extend(sorted(own - set(present)))
        rest = {key: value for key, value in state_dict.items() if key not in own}
        super()._load_from_state_dict(
            rest, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )

    def _adopt(self, arrays: Mapping[str, NDArray[Any]], weight: Tensor | None) -> None:
        """Take over a saved topology, and make room for its weights."""
        indptr, codes = arrays["indptr"], arrays["activation"]
        n = len(indptr) - 1
        if n != self.topology.num_nodes:
            raise ModelFileError(
                f"the saved graph has {n} nodes, this layer has {self.topology.num_nodes}; build "
                "the layer with the number of nodes it was saved with"
            )
        if codes.shape != (n,) or not ((codes >= 0) & (codes < len(NAMES))).all():
            raise ModelFileError("the saved activation codes do not fit the saved graph")
        topology = Topology(n, indptr, arrays["sources"], arrays["inputs"], arrays["outputs"])
        self._codes = codes.astype(np.int32)
        self.set_topology_(topology)
        if self.storage == "sparse" and weight is not None:
            self.weight.data = self.weight.data.new_empty(topology.num_edges)

    # deepcopy and pickle both go through this; the last pass's tensors stay behind.
    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_last": None}


def _carrier(positions: NDArray[np.int64], old_edges: int) -> Callable[[Tensor], Tensor]:
    """Build the function that takes per-edge values from the old edge order to the new."""
    kept = torch.from_numpy(np.flatnonzero(positions >= 0))
    source = torch.from_numpy(positions[positions >= 0])

    def carry(values: Tensor) -> Tensor:
        assert values.shape == (old_edges,)
        out = values.new_zeros(len(positions))
        out[kept.to(values.device)] = values[source.to(values.device)]
        return out

    return carry
