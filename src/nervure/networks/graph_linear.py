"""`GraphLinear`: neural modules in the place of a linear layer."""

from __future__ import annotations

from typing import Any

from nervure.engine.sweeping import DEFAULT_MAX_SWEEPS, OnFailure
from nervure.errors import EngineError
from nervure.networks.graph_layer import Storage
from nervure.networks.neural_modules import NeuralModules
from nervure.topology import Topology

# A core of fewer nodes has hardly room for modules.
_FEWEST_NODES = 64


class GraphLinear(NeuralModules):
    """A graph of neurons with loops that stands in for `torch.nn.Linear` in any model.

    `NeuralModules` under the names of a linear layer: encoder, a core that starts from the complete
    digraph, decoder. Every row is solved by itself, whatever the leading dimensions are. A
    `nervure.rules.Repulsion` for each such layer learns its wiring; `nervure.rules.RuleGroup` makes
    one rule of several.

    Parameters
    ----------
    in_features, out_features : int
    nodes : int, optional
        Neurons of the core, at least 2. None takes the smaller of in_features and out_features, so
        that the layer can do what a linear one does, and at least 64; or those of `topology`.
    activation : str
        Of the core's nodes.
    topology : Topology, optional
        A wiring to start from instead of the complete digraph, as in `NeuralModules`.
    storage : {"dense", "sparse"}
        "dense" to learn the wiring; "sparse" is what `compact` returns.
    contraction, tolerance, max_sweeps, on_failure
        As in `GraphLayer`.
    seed : int, optional
        For the initial weights; torch's default generator if None.

    Attributes
    ----------
    in_features, out_features : int
    encoder, decoder : torch.nn.Linear
    core : GraphLayer

    Raises
    ------
    EngineError
        If a size or an option is out of range.

    See Also
    --------
    replace_linear : Gives a copy of a model with such layers in it; `replace_linear_` changes it.

    Notes
    -----
    Paper: neural-modules, section 4.3, where they take the place of the fully connected layers of a
    ResNet and of a Transformer. There is no `weight` as of a linear layer: a model that reads it,
    as `torch.nn.MultiheadAttention` does, keeps its own.

    Examples
    --------
    >>> import torch
    >>> from nervure import GraphLinear
    >>> layer = GraphLinear(16, 10, seed=0)
    >>> layer(torch.zeros(3, 5, 16)).shape
    torch.Size([3, 5, 10])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        nodes: int | None = None,
        activation: str = "tanh",
        topology: Topology | None = None,
        storage: Storage = "dense",
        contraction: float | None = None,
        tolerance: float | None = None,
        max_sweeps: int = DEFAULT_MAX_SWEEPS,
        on_failure: OnFailure = "raise",
        seed: int | None = None,
    ) -> None:
        for name, value in (("in_features", in_features), ("out_features", out_features)):
            if value < 1:
                raise EngineError(f"{name}: expected at least 1, got {value}")
        if nodes is None:
            fewest = max(_FEWEST_NODES, min(in_features, out_features))
            nodes = fewest if topology is None else topology.num_nodes
        super().__init__(
            in_features,
            out_features,
            nodes=nodes,
            activation=activation,
            topology=topology,
            storage=storage,
            contraction=contraction,
            tolerance=tolerance,
            max_sweeps=max_sweeps,
            on_failure=on_failure,
            seed=seed,
        )

    @property
    def in_features(self) -> int:
        """Size of a row that comes in."""
        return self.encoder.in_features

    @property
    def out_features(self) -> int:
        """Size of a row that goes out."""
        return self.decoder.out_features

    def config(self) -> dict[str, Any]:
        """Arguments that build a layer of the same shape; the rest is in its state dict."""
        arguments = super().config()
        sizes = {"in_features": arguments.pop("inputs"), "out_features": arguments.pop("outputs")}
        return sizes | arguments
