"""What a trained wiring has become, and the Boolean tasks whose structure is known."""

from nervure.modules.boolean_tasks import BooleanTask, boolean_task, noisy
from nervure.modules.formula import formula_of
from nervure.modules.from_expressions import function_graph
from nervure.modules.function_graph import FunctionGraph, Gate
from nervure.modules.statistics import ModuleStatistics, module_statistics
from nervure.modules.subfunctions import SubFunction, hierarchy_graph, sub_functions

__all__ = [
    "BooleanTask",
    "FunctionGraph",
    "Gate",
    "ModuleStatistics",
    "SubFunction",
    "boolean_task",
    "formula_of",
    "function_graph",
    "hierarchy_graph",
    "module_statistics",
    "noisy",
    "sub_functions",
]
