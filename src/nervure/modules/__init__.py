"""What a trained wiring has become."""

from nervure.modules.clustering import (
    BOOLEAN_THRESHOLD,
    MNIST_THRESHOLD,
    LayerClustering,
    SharedTargets,
    cluster_layer,
)
from nervure.modules.detection import Detection, LayerClusters, detect_modules
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
from nervure.modules.statistics import ModuleStatistics, module_statistics

__all__ = [
    "BOOLEAN_SHARE",
    "BOOLEAN_THRESHOLD",
    "MNIST_SHARE",
    "MNIST_THRESHOLD",
    "ClusterLink",
    "Detection",
    "Hierarchy",
    "LayerClustering",
    "LayerClusters",
    "MeanTest",
    "Module",
    "ModuleStatistics",
    "SharedTargets",
    "cluster_layer",
    "detect_modules",
    "input_separation",
    "mean_below",
    "module_statistics",
    "output_strengths",
    "path_products",
    "units_covering",
]
