"""What runs on a topology: torch modules."""

from nervure.networks.block_dag import BlockDAG
from nervure.networks.blocks import (
    Block,
    ConvBlock,
    Exit,
    MLPBlock,
    PooledLinear,
    register_block,
    register_exit,
)
from nervure.networks.fitted_channels import fitted_channels
from nervure.networks.freenet import FreeNet
from nervure.networks.from_module import edge_weights_of_module, topology_of_module
from nervure.networks.graph_layer import GraphLayer
from nervure.networks.graph_linear import GraphLinear
from nervure.networks.neural_modules import NeuralModules
from nervure.networks.nodes import node_topology, node_values, single_nodes
from nervure.networks.parameters import count_parameters
from nervure.networks.polynomial import exact_polynomial, neurons_needed
from nervure.networks.population import Population
from nervure.networks.replace_linear import replace_linear, replace_linear_
from nervure.networks.sparse_mlp import SparseMLP

__all__ = [
    "Block",
    "BlockDAG",
    "ConvBlock",
    "Exit",
    "FreeNet",
    "GraphLayer",
    "GraphLinear",
    "MLPBlock",
    "NeuralModules",
    "PooledLinear",
    "Population",
    "SparseMLP",
    "count_parameters",
    "edge_weights_of_module",
    "exact_polynomial",
    "fitted_channels",
    "neurons_needed",
    "node_topology",
    "node_values",
    "register_block",
    "register_exit",
    "replace_linear",
    "replace_linear_",
    "single_nodes",
    "topology_of_module",
]
