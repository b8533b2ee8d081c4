"""What a trained wiring has become."""

from nervure.modules.statistics import ModuleStatistics, module_statistics

__all__ = ["ModuleStatistics", "module_statistics"]
