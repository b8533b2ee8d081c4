from typing import Any

import numpy as np
from numpy.typing import NDArray

_Ints = NDArray[np.int32]

def strong_components(indptr: _Ints, sources: _Ints) -> tuple[_Ints, _Ints, _Ints]: ...
def condensation_levels(
    indptr: _Ints, sources: _Ints, labels: _Ints, order: _Ints, offsets: _Ints
) -> _Ints: ...
def transpose(indptr: _Ints, sources: _Ints) -> tuple[_Ints, _Ints, _Ints]: ...
def reachable(indptr: _Ints, neighbours: _Ints, seeds: _Ints) -> NDArray[np.bool_]: ...
def build_plan(
    indptr: _Ints, sources: _Ints, inputs: _Ints, outputs: _Ints, activation: _Ints
) -> _Ints: ...

# Arrays below are NumPy arrays or CPU tensors of one float dtype (float32 or float64).
def select_largest(matrix: Any, k: int) -> tuple[_Ints, _Ints, float]: ...
def gather_edges(plan: Any, matrix: Any, weight: Any) -> None: ...
def forward(
    plan: Any,
    drive: Any,
    weight: Any,
    bias: Any | None,
    state: Any,
    slope: Any,
    output: Any,
    converged: Any,
    residual: Any,
    sweeps: Any,
    failed: Any,
    tolerance: float,
    max_sweeps: int,
    leak: float,
    threads: int,
) -> None: ...
def adjoint(
    plan: Any,
    grad_output: Any,
    weight: Any,
    state: Any,
    slope: Any,
    converged: Any,
    delta: Any,
    grad_drive: Any,
    residual: Any,
    sweeps: Any,
    failed: Any,
    tolerance: float,
    max_sweeps: int,
    leak: float,
    threads: int,
) -> None: ...
def edge_gradient(
    plan: Any, state: Any, delta: Any, grad_weight: Any | None, grad_bias: Any, threads: int
) -> None: ...
def instruction_set() -> str: ...
def use_instruction_set(name: str) -> None: ...
