"""Train neural networks that learn their own wiring."""

from nervure import engine, modules, networks, rules, topology
from nervure.modules import ModuleStatistics, module_statistics
from nervure.networks import GraphLayer, NeuralModules
from nervure.topology import Topology

__version__ = "0.1.0"

__all__ = [
    "GraphLayer",
    "ModuleStatistics",
    "NeuralModules",
    "Topology",
    "engine",
    "module_statistics",
    "modules",
    "networks",
    "rules",
    "topology",
]
