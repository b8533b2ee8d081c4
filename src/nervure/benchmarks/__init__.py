"""Benchmarks: nervure timed against its peers, each result checked first.

The peers are optional packages (``pip install "nervure[bench]"``); none is imported before the
benchmark that needs it runs.
"""

from __future__ import annotations

from nervure.benchmarks import (
    block_dag,
    blocks,
    dag_sweep,
    equilibrium,
    freenet_step,
    modules_parallel,
    motifs,
    neural_modules_step,
    overhead,
    scale,
    sculpt_grid,
    set_scale,
    sparse_step,
)
from nervure.benchmarks.harness import Benchmark, DisagreementError, Report, Row, Settings
from nervure.benchmarks.rendering import rendered, rendered_costs

BENCHMARKS: dict[str, Benchmark] = {
    module.BENCHMARK.name: module.BENCHMARK
    for module in (
        sparse_step,
        dag_sweep,
        equilibrium,
        modules_parallel,
        scale,
        overhead,
        blocks,
        motifs,
        neural_modules_step,
        freenet_step,
        set_scale,
        sculpt_grid,
        block_dag,
    )
}

__all__ = [
    "BENCHMARKS",
    "Benchmark",
    "DisagreementError",
    "Report",
    "Row",
    "Settings",
    "rendered",
    "rendered_costs",
]
