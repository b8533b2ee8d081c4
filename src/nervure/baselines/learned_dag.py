"""`LearnedDAG`: every edge from a lower to a higher neuron, each with a learned weight."""

from __future__ import annotations

from typing import Any

from nervure.networks import FreeNet


class LearnedDAG(FreeNet):
    """A complete directed acyclic graph whose edges are told apart by their weights alone.

    Encoder (linear, inputs to all neurons), `nodes` neurons with an edge from each to every later
    one, decoder (linear, all neurons to outputs): a `FreeNet` that no rule rewires.

    Parameters
    ----------
    inputs, outputs : int
        Features in; classes or regression targets out.
    nodes : int
        Neurons of the graph, at least 1; it has nodes (nodes - 1) / 2 edges.
    activation : str
        Of the neurons.
    seed : int, optional
        For the initial weights; torch's default generator if None.

    Attributes
    ----------
    encoder, decoder : torch.nn.Linear
    core : GraphLayer

    Raises
    ------
    EngineError
        If a size or the activation is not as said.

    Notes
    -----
    Weights start as those of `FreeNet`, of variance 1 / nodes whatever a neuron's place, so what a
    tanh neuron gathers from those before it is at most of their own variance: over 500 neurons in a
    chain their standard deviation goes from 0.40 to 0.51, and under 1 % of the last are saturated
    (64 standard normal inputs).

    References
    ----------
    K. Yuan, Q. Li, J. Shao and J. Yan, "Learning connectivity of neural networks from a topological
    perspective" (2020). Paper: neural-modules, Table 1, "DAG".

    Examples
    --------
    >>> from nervure.baselines import LearnedDAG
    >>> LearnedDAG(64, 10, nodes=30, seed=0).topology.num_edges
    435
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        nodes: int = 200,
        activation: str = "tanh",
        seed: int | None = None,
    ) -> None:
        super().__init__(inputs, outputs, neurons=nodes, activation=activation, seed=seed)

    def config(self) -> dict[str, Any]:
        """Arguments that build a network of the same shape; the rest is in its state dict."""
        return {
            "inputs": self.encoder.in_features,
            "outputs": self.decoder.out_features,
            "nodes": self.core.topology.num_nodes,
            "activation": self.core.activation[0],
        }
