"""`GraphLayer`: a graph of neurons as a torch module."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nervure import engine
from nervure.engine import sweeping
from nervure.engine.activations import DEFAULT_LEAK, NAMES, activation_codes
from nervure.engine.contraction import contracted
from nervure.engine.native import Solver, Stats
from nervure.engine.sweeping import Backend, OnFailure
from nervure.engine.tracing import is_exporting, is_transformed
from nervure.errors import EngineError, ModelFileError
from nervure.networks import stored_topology
from nervure.networks.parameters import replace_values
from nervure.networks.weight_layout import WeightLayout
from nervure.topology import Topology

Storage = Literal["sparse", "dense"]

# Standard deviation of initial weights times sqrt(incoming edges). Cycles need a contracting start;
# without cycles the usual variance-preserving factors hold.
_CYCLIC_SCALE = 0.5
RECTIFIERS = {"relu", "leaky_relu", "gelu", "silu", "squared_relu"}


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
    block : int
        Nodes per block, m: the topology then wires blocks of m nodes, and each of its edges is an
        m x m matrix of weights (sparse storage; see `nervure.engine.plan`).
    tied : int
        The edges into the first so many blocks have one weight each, which stands in all m^2
        places.
    inputs, outputs : sequence of int, optional
        Nodes in the two roles; by default all nodes of the topology's input and output blocks.
    bias : bool
        Whether nodes have biases (always, with dense storage).
    input_bias : bool
        Whether that goes for pure inputs, nodes with a drive and no incoming edge, too. If not,
        theirs stay as they are, zero at first, and backward passes stop before them (sparse
        storage; with dense storage always).
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
    weight : Parameter, shape (edges * block^2,) or (nodes, nodes)
        Where edges are tied, those first, with one weight each (see `layout`).
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
        block: int = 1,
        tied: int = 0,
        inputs: Sequence[int] | NDArray[np.int32] | None = None,
        outputs: Sequence[int] | NDArray[np.int32] | None = None,
        bias: bool = True,
        input_bias: bool = False,
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
        sweeping.check_backend(backend)
        if storage not in ("sparse", "dense"):
            raise EngineError(f"storage: expected 'sparse' or 'dense', got {storage!r}")
        if contraction is not None and not 0 < contraction < 1:
            raise EngineError(f"contraction: expected above 0 and below 1, got {contraction}")
        if storage == "dense" and not bias:
            raise EngineError("dense storage keeps biases on the diagonal; bias=False needs sparse")
        if block > 1 and (storage == "dense" or contraction is not None):
            raise EngineError("blocks need sparse storage and no contraction")
        if not 0 <= tied <= topology.num_nodes or (tied and storage == "dense"):
            raise EngineError(
                f"tied: expected 0 to {topology.num_nodes} blocks, with sparse storage, got {tied}"
            )
        self.storage: Storage = storage
        self.block = block
        self.tied = tied
        self.input_bias = input_bias or storage == "dense"
        self.backend: Backend = backend
        self.tolerance = tolerance
        self.max_sweeps = max_sweeps
        self.leak = leak
        self.on_failure: OnFailure = on_failure
        self.contraction = contraction
        self._codes = activation_codes(activation, topology.num_nodes * block)
        self._inputs, self._outputs = (
            None if role is None else np.array(role, dtype=np.int32) for role in (inputs, outputs)
        )
        self._last: tuple[Stats, Tensor | None, int, torch.device] | None = None
        self.set_topology_(topology)
        n = self._plan.nodes
        shape = (n, n) if storage == "dense" else (self.layout.size,)
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
            scale = math.sqrt(2) if names & RECTIFIERS else 1.0
        with torch.no_grad():
            self.weight.normal_(generator=generator)
            if self.storage == "dense":
                self.weight.mul_(scale / math.sqrt(max(1, topology.num_nodes)))
                self.weight.diagonal().zero_()
                return
            # Per edge without `topology.targets`, which would stay in memory.
            degree = topology.in_degree
            fan_in = np.repeat(degree * np.float32(self.block), degree)
            spread = self.layout.per_edge(scale / np.sqrt(fan_in))
            self.weight.mul_(torch.from_numpy(spread).to(self.weight.device, self.weight.dtype))
            if self.bias is not None:
                self.bias.zero_()

    @property
    def edge_weight(self) -> Tensor:
        """Weights of the present edges in edge order, shape (edges * block^2,), detached."""
        weight = self.weight.detach()
        if self.storage == "sparse":
            return self.layout.spelled(weight)
        targets = torch.from_numpy(self.topology.targets.astype(np.int64))
        sources = torch.from_numpy(self.topology.sources.astype(np.int64))
        return weight[targets.to(weight.device), sources.to(weight.device)]

    @property
    def node_bias(self) -> Tensor:
        """Biases, shape (nodes,), detached; zeros where there are none."""
        if self.storage == "dense":
            return self.weight.detach().diagonal().clone()
        if self.bias is None:
            return torch.zeros(self.plan.nodes, device=self.weight.device, dtype=self.weight.dtype)
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

    @property
    def layout(self) -> WeightLayout:
        """Where each edge's weights stand in `weight` (sparse storage)."""
        return self._layout

    def set_topology_(self, topology: Topology) -> None:
        """Put a wiring over the same nodes in place of the present one, weights untouched.

        For rules on dense storage, which rewire at every step and do not need to know which edges
        changed; `rewire_` is the careful way.
        """
        self._topology = topology
        self._layout = WeightLayout.of(topology, self.block, self.tied)
        self._plan = engine.build_plan(
            topology,
            self._codes,
            block=self.block,
            inputs=self._inputs,
            outputs=self._outputs,
            input_bias=self.input_bias,
        )

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
            layout, new = self.layout, WeightLayout.of(topology, self.block, self.tied)
            old_shape = self.weight.shape
            with torch.no_grad():
                replace_values(self.weight, new.carried(self.weight.data, layout, positions))
            if optimizer is not None:
                state = optimizer.state.get(self.weight, {})
                for key, value in state.items():
                    if isinstance(value, Tensor) and value.shape == old_shape:
                        state[key] = new.carried(value, layout, positions)
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
                block=self.block,
                tied=self.tied,
                inputs=self._inputs,
                outputs=self._outputs,
                input_bias=self.input_bias,
                bias=self.storage == "dense" or self.bias is not None,
                device=self.weight.device,
                dtype=self.weight.dtype,
                generator=torch.Generator(self.weight.device),
            )
            layer.weight.copy_(self.edge_weight if self.storage == "dense" else self.weight)
            if layer.bias is not None:
                layer.bias.copy_(self.node_bias)
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
        plan, bias = self._plan, self.bias
        weight = self.layout.spelled(self.weight) if self.tied else self.weight
        sweeping.check_arguments(plan, rows, weight, bias)
        tolerance = self.tolerance
        if tolerance is None:
            tolerance = sweeping.default_tolerance(rows.dtype)
        found = sweeping.solve(
            plan,
            sweeping.choose_backend(self.backend, plan, rows, training=torch.is_grad_enabled()),
            rows,
            weight,
            bias,
            Solver(tolerance, self.max_sweeps, self.leak),
            strict=self.on_failure == "raise",
        )
        # A transform's values mean nothing once it is over, and an exported program keeps none.
        if not (is_exporting() or is_transformed()):
            self._last = (found.stats, found.converged, len(rows), rows.device)
        return found.output.reshape(*lead, plan.num_outputs)

    def extra_repr(self) -> str:
        """Describe the layer on one line."""
        names = sorted({NAMES[code] for code in self._codes})
        return f"{self.topology!r}, activation={'/'.join(names)}, storage={self.storage}"

    # -- saving ----------------------------------------------------------------------------------

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination.update(stored_topology.to_state(self.plan, prefix))

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
        stored = stored_topology.from_state(state_dict, prefix, self.plan.nodes, self.block)
        if not isinstance(stored, list):
            self._check_stored_weights(state_dict.get(f"{prefix}weight"), stored.topology)
            # What stands before and after the layer has been built for so many.
            saved = len(stored.inputs), len(stored.outputs)
            if saved != (self.plan.num_inputs, self.plan.num_outputs):
                raise ModelFileError(
                    f"the saved layer has {saved[0]} inputs and {saved[1]} outputs, this one "
                    f"{self.plan.num_inputs} and {self.plan.num_outputs}; build it with the inputs "
                    "and outputs it was saved with"
                )
            self._codes = stored.codes
            self._inputs, self._outputs = stored.inputs, stored.outputs
            self.set_topology_(stored.topology)
            if self.storage == "sparse" and f"{prefix}weight" in state_dict:
                replace_values(self.weight, self.weight.data.new_empty(self.layout.size))
        elif strict:
            missing_keys.extend(sorted(stored))
        own = f"{prefix}topology."
        rest = {key: value for key, value in state_dict.items() if not key.startswith(own)}
        super()._load_from_state_dict(
            rest, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )

    def _check_stored_weights(self, weight: Tensor | None, topology: Topology) -> None:
        """Refuse weights that the layer could not hold, before its wiring is replaced."""
        if weight is None:
            if self.storage == "sparse" and topology != self.topology:
                raise ModelFileError(
                    "the saved layer has a wiring of its own and no weights for it; load both"
                )
            return
        if weight.ndim != self.weight.ndim:
            saved = "sparse" if weight.ndim == 1 else "dense"
            raise ModelFileError(
                f"the saved layer has {saved} storage, this one {self.storage}: its weights are of "
                f"shape {tuple(weight.shape)}; build it with storage={saved!r}"
            )
        if self.storage == "dense":
            return
        expected = WeightLayout.of(topology, self.block, self.tied).size
        if len(weight) != expected:
            raise ModelFileError(
                f"the saved layer has {len(weight)} weights for {topology.num_edges} edges, this "
                f"one would have {expected}; build it with the tied= it was saved with"
            )

    # deepcopy and pickle both go through this; the last pass's tensors stay behind.
    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_last": None}
