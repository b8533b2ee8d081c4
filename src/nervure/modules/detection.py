"""Modules of a sparse wiring: layer by layer clusters, then clusters joined across layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nervure.errors import TopologyError
from nervure.modules.clustering import (
    BOOLEAN_THRESHOLD,
    LayerClustering,
    SharedTargets,
    cluster_layer,
)
from nervure.modules.clustering_method import PAPER_CLUSTERING, ClusteringMethod
from nervure.modules.live_units import LiveUnits, live_units
from nervure.modules.merging import BOOLEAN_SHARE, ClusterLink, link_clusters
from nervure.modules.ordering import unit_ranks
from nervure.modules.wording import counted
from nervure.topology import Topology

Ints = NDArray[np.int64]


@runtime_checkable
class Wired(Protocol):
    """A network that knows its wiring, as all of nervure do."""

    @property
    def topology(self) -> Topology:
        """What is wired."""


@dataclass(frozen=True, eq=False)
class LayerClusters:
    """The clusters of one layer.

    Units are called by their nodes, a component by its lowest one.

    Attributes
    ----------
    layer : int
        0 is where the inputs are.
    units : ndarray of int64
        Units that feed others, in the order in which they were clustered.
    later : ndarray of int64
        Units of all later layers, the columns of the features.
    clustering : LayerClustering or None
        How the units were clustered; None if none feeds any other.
    outputs : ndarray of int64
        Units that feed no other: each is a cluster of its own.
    """

    layer: int
    units: Ints
    later: Ints
    clustering: LayerClustering | None
    outputs: Ints

    @property
    def clusters(self) -> tuple[Ints, ...]:
        """The units of each cluster: clustered ones first, then each output."""
        found = self.clustering
        grouped = (
            [] if found is None else [self.units[found.labels == c] for c in range(found.count)]
        )
        return (*grouped, *self.outputs.reshape(-1, 1))


@dataclass(frozen=True, eq=False)
class Detection:
    """Modules of a wiring, and every step that led to them.

    Attributes
    ----------
    topology : Topology
        The whole wiring.
    units : LiveUnits
        What of it is live.
    layers : tuple of LayerClusters
        The clusters of each layer, inputs first.
    links : tuple of ClusterLink
        Which cluster feeds which, and whether that made them one. Clusters are numbered layer by
        layer.
    modules : tuple of ndarray of int64
        The nodes of each module.
    module_of : ndarray of int64
        Module of each node; -1 if it was dropped.
    threshold, merge_share : float
    method : ClusteringMethod
        As given.
    """

    topology: Topology
    units: LiveUnits
    layers: tuple[LayerClusters, ...]
    links: tuple[ClusterLink, ...]
    modules: tuple[Ints, ...]
    module_of: Ints
    threshold: float
    merge_share: float
    method: ClusteringMethod

    @property
    def dropped(self) -> Ints:
        """Nodes on no path from an input to an output."""
        return self.units.dropped

    @property
    def num_edges(self) -> int:
        """Edges between live nodes."""
        return self.units.num_edges

    @property
    def clusters_per_layer(self) -> tuple[int, ...]:
        """Number of clusters of each layer."""
        return tuple(len(layer.clusters) for layer in self.layers)

    @cached_property
    def layer_of(self) -> Ints:
        """Layer of each node; -1 if it was dropped."""
        # Dropped nodes look at the last place.
        return np.append(self.units.layers, -1)[self.units.unit_of]

    def describe(self) -> str:
        """Say in plain words what was found in each layer, why, and what was joined.

        Returns
        -------
        str
            A few lines.
        """
        lines = [
            f"{counted(len(self.modules), 'module')} among {(self.module_of >= 0).sum():,} nodes "
            f"with {counted(self.num_edges, 'edge')}. Dropped, as on no path from an input to an "
            f"output: {counted(len(self.dropped), 'node')}."
        ]
        for layer in self.layers:
            found = layer.clustering
            if found is not None:
                lines.append(
                    f"Layer {layer.layer}: {counted(len(layer.units), 'unit')} in "
                    f"{counted(found.count, 'cluster')}, "
                    f"{_why(found, self.threshold, self.method)}."
                )
            if len(layer.outputs):
                lines.append(
                    f"Layer {layer.layer}: {counted(len(layer.outputs), 'output')}, each a cluster "
                    "of its own."
                )
        merged = sum(link.merged for link in self.links)
        lines.append(
            f"Of {counted(len(self.links), 'pair')} of clusters with edges from one to the other, "
            f"{merged} were joined: more than {self.merge_share:.0%} of all edges out of the one "
            "and into the other run between them (for an output, into it)."
        )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return (
            f"Detection(modules={len(self.modules)}, clusters={self.clusters_per_layer}, "
            f"edges={self.num_edges}, dropped={len(self.dropped)})"
        )


def detect_modules(
    network: Topology | Wired,
    *,
    layers: Sequence[int] | None = None,
    threshold: float = BOOLEAN_THRESHOLD,
    merge_share: float = BOOLEAN_SHARE,
    method: ClusteringMethod = PAPER_CLUSTERING,
) -> Detection:
    """Find the modules of a sparse wiring.

    What lies on no path from an input to an output is dropped. In each layer, units that reach
    nearly the same later units become a cluster. Clusters of different layers that are joined by
    nearly all their edges become one module. Units that feed no other are outputs; each begins as
    a cluster of its own.

    Any directed graph will do: a unit's layer is the longest path that leads to it, edges may skip
    layers, and a strongly connected component stays together, as one unit.

    Parameters
    ----------
    network : Topology or a network with an attribute ``topology``
        For an `torch.nn.Sequential` see `nervure.networks.topology_of_module`.
    layers : sequence of int, optional
        Sizes of the layers, where nodes are numbered layer by layer and the longest paths are not
        meant.
    threshold : float
        Above this modularity, clusters of a layer are put to the tests of `cluster_layer`: -0.2 in
        the paper for Boolean functions, -0.3 for images of digits.
    merge_share : float
        Share of edges above which clusters are joined: 0.9 in the paper for Boolean functions, 0.6
        for images of digits.
    method : ClusteringMethod
        How the units of a layer are clustered, if not as in the paper.

    Returns
    -------
    Detection

    Raises
    ------
    TopologyError
        When something else is given, an option is out of range, nothing is live, or the layers are
        not those of the wiring.

    Notes
    -----
    O(units * edges + n^2 (log n + units)), n units in the largest layer, and O(units^2) bytes.
    Paper: neural-sculpting, section 4 and appendix I. The result does not depend on how nodes are
    numbered, unless average linkage has to choose between units of equal rank (see `unit_ranks`).

    Examples
    --------
    >>> from nervure import Topology
    >>> pairs = [(0, 4), (1, 4), (2, 5), (3, 5), (4, 6), (5, 7)]
    >>> found = detect_modules(Topology.from_edges(pairs))
    >>> found
    Detection(modules=2, clusters=(2, 2, 2), edges=6, dropped=0)
    >>> [nodes.tolist() for nodes in found.modules]
    [[0, 1, 4, 6], [2, 3, 5, 7]]
    """
    topology = network if isinstance(network, Topology) else _wiring_of(network)
    if not -1 <= threshold <= 0:
        raise TopologyError(
            f"threshold: expected a modularity between -1 and 0, got {threshold}; the paper has "
            "-0.2 and -0.3"
        )
    units = live_units(topology, layers)
    if not topology.live[units.nodes].any():
        raise TopologyError(
            f"no path leads from an input to an output of {topology!r}, so that there are no "
            "modules; prune less, or check the roles of its nodes"
        )
    order = np.argsort(unit_ranks(units), kind="stable")
    found = tuple(
        _clusters_of(units, layer, order[units.layers[order] == layer], threshold, method)
        for layer in range(int(units.layers.max()) + 1)
    )
    groups = [np.searchsorted(units.nodes, c) for layer in found for c in layer.clusters]
    cluster_of = np.empty(len(units.nodes), dtype=np.int64)
    for number, group in enumerate(groups):
        cluster_of[group] = number
    links, module_of_cluster = link_clusters(
        cluster_of[units.sources],
        cluster_of[units.targets],
        units.counts,
        np.array([bool(units.sinks[group].all()) for group in groups]),
        share=merge_share,
    )
    # Dropped nodes look at the last place.
    module_of = np.append(module_of_cluster[cluster_of], -1)[units.unit_of]
    modules = tuple(np.flatnonzero(module_of == m) for m in range(int(module_of.max()) + 1))
    return Detection(
        topology, units, found, links, modules, module_of, threshold, merge_share, method
    )


def _wiring_of(network: object) -> Topology:
    topology = network.topology if isinstance(network, Wired) else None
    if not isinstance(topology, Topology):
        raise TopologyError(
            "expected a Topology or a network with an attribute 'topology', got "
            f"{type(network).__name__}; for an nn.Sequential of linear layers pass "
            "nervure.networks.topology_of_module(network)"
        )
    return topology


def _clusters_of(
    units: LiveUnits, layer: int, here: Ints, threshold: float, method: ClusteringMethod
) -> LayerClusters:
    """Cluster the units of a layer, given in the order in which ties are to be broken."""
    feeding, final = here[~units.sinks[here]], here[units.sinks[here]]
    later = np.flatnonzero(units.layers > layer)
    clustering = None
    if len(feeding):
        features = units.reachable[np.ix_(feeding, later)]
        clustering = cluster_layer(features, threshold=threshold, method=method)
    names = units.nodes
    return LayerClusters(layer, names[feeding], names[later], clustering, names[final])


def _why(found: LayerClustering, threshold: float, method: ClusteringMethod) -> str:
    if found.nearest is None or found.halves is None:
        return "as there is one unit"
    # Scores are the better, the lower; a criterion that should be high is their negative.
    sign, best, limit = (1, "lowest", "not above") if method.falls else (-1, "highest", "not below")
    scored = f"{method.criterion} {sign * found.best_score:.3f} is {best} for {found.best}"
    if not len(found.scores):
        scored = f"two units have no {method.criterion} to go by"
    if not found.tested:
        return f"as {scored}, between the extremes and {limit} {sign * threshold:g}"
    tests = (
        f"the nearest two share {_against_chance(found.nearest)}, the halves "
        f"{_against_chance(found.halves)}"
    )
    verdict = {"one cluster": "so all are one", "all separate": "so each is separate"}
    return f"as {scored}, and {tests}: {verdict.get(found.reason, 'neither test objects')}"


def _against_chance(shared: SharedTargets) -> str:
    return f"{shared.common} later units, by chance {shared.expected:.2f} (z {shared.z:+.2f})"
