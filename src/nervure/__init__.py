"""Train neural networks that learn their own wiring."""

from nervure import data, engine, export, measures, modules, networks, rules, topology, training
from nervure.estimators import (
    FreeNetClassifier,
    FreeNetRegressor,
    NeuralModulesClassifier,
    NeuralModulesRegressor,
    SculptedMLPClassifier,
    SculptedMLPRegressor,
    SparseMLPClassifier,
    SparseMLPRegressor,
)
from nervure.modules import ModuleStatistics, module_statistics
from nervure.networks import (
    BlockDAG,
    FreeNet,
    GraphLayer,
    GraphLinear,
    NeuralModules,
    SparseMLP,
    replace_linear,
    replace_linear_,
)
from nervure.topology import Topology
from nervure.training import TrainingOptions, fit
from nervure.training.model_file import load_model, save_model

__version__ = "0.1.0"

__all__ = [
    "BlockDAG",
    "FreeNet",
    "FreeNetClassifier",
    "FreeNetRegressor",
    "GraphLayer",
    "GraphLinear",
    "ModuleStatistics",
    "NeuralModules",
    "NeuralModulesClassifier",
    "NeuralModulesRegressor",
    "SculptedMLPClassifier",
    "SculptedMLPRegressor",
    "SparseMLP",
    "SparseMLPClassifier",
    "SparseMLPRegressor",
    "Topology",
    "TrainingOptions",
    "data",
    "engine",
    "export",
    "fit",
    "load_model",
    "measures",
    "module_statistics",
    "modules",
    "networks",
    "replace_linear",
    "replace_linear_",
    "rules",
    "save_model",
    "topology",
    "training",
]
