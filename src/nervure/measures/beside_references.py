"""A graph beside graphs known from elsewhere: density, degree, clustering and distances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nervure.measures.live_part import live_part
from nervure.measures.small_world import SmallWorld, small_world
from nervure.topology import Topology


@dataclass(frozen=True)
class KnownGraph:
    """Size of a directed graph, such as a connectome, and who counted it.

    Attributes
    ----------
    name : str
    nodes, edges : int
        Edges join ordered pairs of different nodes: several synapses between two neurons are one.
    source : str
        Where both numbers stand; empty for a graph of your own.
    small_world : SmallWorld, optional
        Clustering and distances where a source prints them, perhaps of another count of nodes.
    """

    name: str
    nodes: int
    edges: int
    source: str
    small_world: SmallWorld | None = None

    def __post_init__(self) -> None:
        if self.nodes < 0 or not 0 <= self.edges <= self.nodes * (self.nodes - 1):
            raise ValueError(
                f"{self.name}: {self.edges} edges between {self.nodes} nodes are not possible in a "
                "directed graph without repeated edges and self-loops"
            )

    @property
    def density(self) -> float:
        """Edges by the n (n - 1) that are possible; nan below two nodes."""
        return self.edges / (self.nodes * (self.nodes - 1)) if self.nodes > 1 else math.nan

    @property
    def mean_degree(self) -> float:
        """Edges from or to a node on average: twice the edges by the nodes; nan without nodes."""
        return 2 * self.edges / self.nodes if self.nodes else math.nan


CONNECTOMES = (
    KnownGraph(
        "C. elegans, neurons", 297, 2345,
        "White et al. 1986, Phil. Trans. R. Soc. B 314:1-340, as compiled by Watts and Strogatz "
        "1998, Nature 393:440-442 (celegansneural, networkrepository.com)",
        SmallWorld(
            282, 0.28, 2.65, 0.05, 2.25,
            source="Watts and Strogatz 1998, Nature 393:440-442, Table 1 (also in Albert and "
            "Barabasi 2002, Rev. Mod. Phys. 74:47-97, Table I): synapses and gap junctions, mean "
            "degree 14, beside random graphs with as many nodes and edges",
        ),
    ),
    KnownGraph(
        "C. elegans, frontal neurons", 131, 764,
        "Kaiser and Hilgetag 2006, PLoS Comput. Biol. 2:e95 (Celegans131, biological-networks.org)",
    ),
    KnownGraph(
        "macaque, cortical areas", 29, 536,
        "Markov et al. 2014, Cereb. Cortex 24:17-36: the subgraph of the 29 areas with injections, "
        "66 % of its 812 possible edges",
    ),
    KnownGraph(
        "macaque, collated cortex", 47, 505,
        "Sporns, Honey and Koetter 2007, PLoS ONE 2:e1049, Figure 1 (CoCoMac)",
        SmallWorld(
            47, printed=1.4551, directed=True,
            source="Sporns, Honey and Koetter 2007, PLoS ONE 2:e1049: beside random graphs that "
            "keep every degree",
        ),
    ),
    KnownGraph(
        "cat, collated cortex", 52, 820,
        "Sporns, Honey and Koetter 2007, PLoS ONE 2:e1049, Figure 1, after Scannell et al. (its "
        "methods say 818)",
        SmallWorld(
            52, printed=1.3153, directed=True,
            source="Sporns, Honey and Koetter 2007, PLoS ONE 2:e1049: beside random graphs that "
            "keep every degree",
        ),
    ),
)  # fmt: skip
"""Neurons and cortical areas with their directed connections, to put a learned graph beside."""


def beside_references(
    topology: Topology,
    references: Sequence[KnownGraph] = CONNECTOMES,
    name: str = "this graph",
    *,
    seed: int | None = None,
) -> list[KnownGraph]:
    """Put a graph into a list of known graphs, so that like is compared with like.

    Density and degree of all are computed by the same two formulas from nodes and edges, never
    taken over: authors divide by n^2, n (n - 1) or half of it as they like.

    Parameters
    ----------
    topology : Topology
        Its live part counts.
    references : sequence of KnownGraph
        Each with its source. The paper that makes this comparison (neural-modules, Figures 9 and
        12) names no figures and cites no connectome; `CONNECTOMES` is our choice.
    name : str
    seed : int, optional
        Of random graphs; with one, the graph's `small_world` is measured too.

    Returns
    -------
    list of KnownGraph
        Densest first. A graph without live nodes comes last.

    Notes
    -----
    O(nodes + edges), but see `small_world`. Paper: neural-modules, captions of Figures 9 and 12.

    Examples
    --------
    >>> from nervure.topology import complete
    >>> ring = KnownGraph("ring of ten", 10, 10, "by hand")
    >>> [(g.name, g.density, g.mean_degree) for g in beside_references(complete(3), [ring])]
    [('this graph', 1.0, 4.0), ('ring of ten', 0.1111111111111111, 2.0)]
    """
    live = live_part(topology)
    measured = None if seed is None else small_world(live, seed=seed)
    own = KnownGraph(name, live.num_nodes, live.num_edges, "", measured)
    return sorted((own, *references), key=lambda g: -g.density if g.nodes > 1 else math.inf)
