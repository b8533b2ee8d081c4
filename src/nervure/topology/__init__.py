"""What is wired: an immutable directed graph that knows its components, order and live part.

Nothing here needs torch. `Topology` is the value; the constructors are offered twice, as functions
(``complete(5)``) and from the class (``Topology.complete(5)``); operations are methods.
"""

from nervure.topology.blocks import largest_block
from nervure.topology.components import Components, OutAdjacency
from nervure.topology.connectivity import Require
from nervure.topology.constructors import complete, dense_dag, from_edges, from_mask
from nervure.topology.densities import erdos_renyi_densities, shared_densities
from nervure.topology.free_cells import FreeCells
from nervure.topology.graph import Topology
from nervure.topology.graphml import from_graphml, read_graphml
from nervure.topology.interchange import edge_weights, from_networkx, from_scipy, node_labels
from nervure.topology.layers import is_layered
from nervure.topology.random_graphs import erdos_renyi, layered

__all__ = [
    "Components",
    "FreeCells",
    "OutAdjacency",
    "Require",
    "Topology",
    "complete",
    "dense_dag",
    "edge_weights",
    "erdos_renyi",
    "erdos_renyi_densities",
    "from_edges",
    "from_graphml",
    "from_mask",
    "from_networkx",
    "from_scipy",
    "is_layered",
    "largest_block",
    "layered",
    "node_labels",
    "read_graphml",
    "shared_densities",
]
