"""Whether networks can be sculpted side by side for a task."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from nervure.errors import EngineError
from nervure.networks import GraphLayer
from nervure.training.sculpting.task import Task


def check_starts(starts: Sequence[GraphLayer], task: Task, seeds: Sequence[int]) -> None:
    """Refuse starts and seeds that do not fit, with the first three reasons.

    Raises
    ------
    EngineError
    """
    problems = []
    if not starts:
        problems.append("starts: expected at least one layer, got none")
    if len(seeds) != len(starts):
        problems.append(f"seeds: expected one per start, {len(starts)}, got {len(seeds)}")
    if any(seed < 0 for seed in seeds):
        problems.append(f"seeds: expected at least 0, got {min(seeds)}")
    for i, start in enumerate(starts):
        problem = _problem_of(start, starts[0], task)
        if problem is not None:
            problems.append(f"start {i}: {problem}")
    if problems:
        more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise EngineError("; ".join(problems[:3]) + more)


def _problem_of(start: GraphLayer, first: GraphLayer, task: Task) -> str | None:
    plan, topology = start.plan, start.topology
    if start.storage != "sparse" or start.block != 1 or start.tied or start.bias is None:
        return "expected sparse storage and biases, without blocks or ties"
    if start.input_bias or start.leak != first.leak:
        return "expected input_bias=False, and the leak of the first"
    if not (
        np.array_equal(plan.inputs, topology.inputs)
        and np.array_equal(plan.outputs, topology.outputs)
    ):
        return "expected the inputs and outputs of its topology"
    if not topology.is_acyclic:
        return "expected a graph without cycles; use the rules instead"
    if not topology.num_edges:
        return "expected edges, got none"
    if start.weight.dtype != torch.float32 or start.weight.device.type != "cpu":
        return f"expected float32 on the CPU, got {start.weight.dtype} on {start.weight.device}"
    inputs = task.x.shape[1]
    if plan.num_inputs != inputs:
        return f"expected {inputs} inputs, got {plan.num_inputs}"
    if plan.num_outputs != first.plan.num_outputs:
        return (
            f"expected as many outputs as the first, {first.plan.num_outputs}, got "
            f"{plan.num_outputs}"
        )
    if task.objective == "classification":
        classes = int(max(task.y.max(), task.y_validation.max())) + 1
        if plan.num_outputs < classes:
            return f"expected at least {classes} outputs, got {plan.num_outputs}"
    elif plan.num_outputs != task.y.shape[1]:
        return f"expected {task.y.shape[1]} outputs, got {plan.num_outputs}"
    return None
