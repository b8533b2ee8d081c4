"""What a trained wiring has become, and the Boolean tasks whose structure is known."""

from nervure.modules.agreement import Agreement, agreement
from nervure.modules.boolean_tasks import BooleanTask, boolean_task, noisy
from nervure.modules.clustering import (
    BOOLEAN_THRESHOLD,
    MNIST_THRESHOLD,
    LayerClustering,
    SharedTargets,
    cluster_layer,
)
from nervure.modules.clustering_method import ClusteringMethod
from nervure.modules.detection import Detection, LayerClusters, detect_modules
from nervure.modules.formula import formula_of
from nervure.modules.from_expressions import function_graph
from nervure.modules.function_graph import FunctionGraph, Gate
from nervure.modules.hierarchy import Hierarchy, Module
from nervure.modules.merging import BOOLEAN_SHARE, MNIST_SHARE, ClusterLink
from nervure.modules.path_statistics import (
    MeanTest,
    input_separation,
    mean_below,
    output_strengths,
    path_products,
    units_covering,
)
from nervure.modules.recovered import FEW_INPUTS, recovered_formulas
from nervure.modules.statistics import ModuleStatistics, module_statistics
from nervure.modules.subfunctions import SubFunction, hierarchy_graph, sub_functions
from nervure.modules.unit_formula import UnitFormula, formula_lines

__all__ = [
    "BOOLEAN_SHARE",
    "BOOLEAN_THRESHOLD",
    "FEW_INPUTS",
    "MNIST_SHARE",
    "MNIST_THRESHOLD",
    "Agreement",
    "BooleanTask",
    "ClusterLink",
    "ClusteringMethod",
    "Detection",
    "FunctionGraph",
    "Gate",
    "Hierarchy",
    "LayerClustering",
    "LayerClusters",
    "MeanTest",
    "Module",
    "ModuleStatistics",
    "SharedTargets",
    "SubFunction",
    "UnitFormula",
    "agreement",
    "boolean_task",
    "cluster_layer",
    "detect_modules",
    "formula_lines",
    "formula_of",
    "function_graph",
    "hierarchy_graph",
    "input_separation",
    "mean_below",
    "module_statistics",
    "noisy",
    "output_strengths",
    "path_products",
    "recovered_formulas",
    "sub_functions",
    "units_covering",
]
