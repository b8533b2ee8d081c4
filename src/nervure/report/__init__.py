"""Reports: one self-contained page per run, and the figures in it as free functions."""

from nervure.report.adjacency import adjacency_history, adjacency_matrix
from nervure.report.curves import (
    module_history,
    rewiring_history,
    sweep_history,
    training_curves,
)
from nervure.report.drawing import graph_drawing
from nervure.report.embedding_scatter import embedding_scatter
from nervure.report.hierarchy_drawing import hierarchy_drawing
from nervure.report.importance import importance_bars, importance_image
from nervure.report.layers import degree_history, density_history
from nervure.report.modules_drawing import network_by_module
from nervure.report.similarity_map import similarity_map
from nervure.report.stage_drawing import stage_drawing
from nervure.report.strength_history import strength_history
from nervure.report.threshold_curves import threshold_curves
from nervure.report.updates import Update, pair_densities, update_history
from nervure.report.writing import write_report

__all__ = [
    "Update",
    "adjacency_history",
    "adjacency_matrix",
    "degree_history",
    "density_history",
    "embedding_scatter",
    "graph_drawing",
    "hierarchy_drawing",
    "importance_bars",
    "importance_image",
    "module_history",
    "network_by_module",
    "pair_densities",
    "rewiring_history",
    "similarity_map",
    "stage_drawing",
    "strength_history",
    "sweep_history",
    "threshold_curves",
    "training_curves",
    "update_history",
    "write_report",
]
