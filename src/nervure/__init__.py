"""Train neural networks that learn their own wiring."""

from nervure import engine, modules, networks, rules, topology, training
from nervure.estimators import NeuralModulesClassifier, NeuralModulesRegressor
from nervure.modules import ModuleStatistics, module_statistics
from nervure.networks import GraphLayer, NeuralModules
from nervure.topology import Topology
from nervure.training import TrainingOptions, fit

__version__ = "0.1.0"

__all__ = [
    "GraphLayer",
    "ModuleStatistics",
    "NeuralModules",
    "NeuralModulesClassifier",
    "NeuralModulesRegressor",
    "Topology",
    "TrainingOptions",
    "engine",
    "fit",
    "module_statistics",
    "modules",
    "networks",
    "rules",
    "topology",
    "training",
]
