"""Measures of graphs: functions of a topology, tables of many, and how alike graphs are.

Everything is measured on the live part (`live_part`). Where no path leads from an input to an
output, counts are 0, logarithms of sums are -inf, and means, shares and extremes are nan. A graph
that is not empty but for which a measure makes no sense raises `nervure.errors.
UndefinedMeasureError`; `characterise` writes nan there. Nothing here needs torch.
"""

from nervure.measures.beside_references import CONNECTOMES, KnownGraph, beside_references
from nervure.measures.communicability import ln_communicability
from nervure.measures.cuts import edge_connectivity
from nervure.measures.degrees import DegreeMoments, degree_moments, mean_degree
from nervure.measures.dynamics import EdgeDynamics, edge_dynamics
from nervure.measures.elongation import (
    is_quasi_one_dimensional,
    pca_elongation,
    spring_positions,
)
from nervure.measures.embedding import embedding
from nervure.measures.first_epoch import top_k_first
from nervure.measures.live_part import live_part
from nervure.measures.paths import log_paths, max_path, mean_path, num_paths, path_lengths
from nervure.measures.similarity import (
    edge_overlap,
    edge_overlap_matrix,
    similarity,
    standardised,
)
from nervure.measures.small_world import SmallWorld, small_world
from nervure.measures.stages import density, num_nodes, sparsity, stage_nodes, stage_sparsity
from nervure.measures.structure import (
    average_clustering,
    average_shortest_path,
    betweenness,
    global_efficiency,
    max_betweenness,
    mean_betweenness,
    modularity,
    small_worldness,
    transitivity,
)
from nervure.measures.table import DEFAULT, MEASURES, MeasureTable, characterise

__all__ = [
    "CONNECTOMES",
    "DEFAULT",
    "MEASURES",
    "DegreeMoments",
    "EdgeDynamics",
    "KnownGraph",
    "MeasureTable",
    "SmallWorld",
    "average_clustering",
    "average_shortest_path",
    "beside_references",
    "betweenness",
    "characterise",
    "degree_moments",
    "density",
    "edge_connectivity",
    "edge_dynamics",
    "edge_overlap",
    "edge_overlap_matrix",
    "embedding",
    "global_efficiency",
    "is_quasi_one_dimensional",
    "live_part",
    "ln_communicability",
    "log_paths",
    "max_betweenness",
    "max_path",
    "mean_betweenness",
    "mean_degree",
    "mean_path",
    "modularity",
    "num_nodes",
    "num_paths",
    "path_lengths",
    "pca_elongation",
    "similarity",
    "small_world",
    "small_worldness",
    "sparsity",
    "spring_positions",
    "stage_nodes",
    "stage_sparsity",
    "standardised",
    "top_k_first",
    "transitivity",
]
