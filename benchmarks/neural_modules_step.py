"""Time of one neural-modules training step, part by part.

    python benchmarks/neural_modules_step.py [--nodes 3000] [--keep 45000] [--batch 128]

Prints medians over several repetitions: the forward sweep to a residual of 1e-4, the adjoint sweep,
the gradient of the kept edges and of all possible edges, the plan for a new topology, and the
choice of the kept edges; then the plan as a share of a step, and the step relative to one dense
product of the same sizes (a^T d), measured in the same run.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from nervure import Topology, _core
from nervure.engine import activation_codes, build_plan, native


def median_ms(work: Callable[[], object], repeats: int) -> float:
    """Median duration of a call in milliseconds, after one call to warm up."""
    work()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(times)


def measure(matrix: torch.Tensor, keep: int, batch: int, repeats: int) -> None:
    """Time every part for one weight matrix and print it."""
    p = len(matrix)
    codes = activation_codes("tanh", p)
    every = np.arange(p, dtype=np.int32)
    indptr, sources, _ = _core.select_largest(matrix, keep)
    topology = Topology(p, indptr, sources, every, every)
    plan = build_plan(topology, codes)
    weight = torch.empty(keep)
    _core.gather_edges(plan.packed, matrix, weight)
    generator = torch.Generator().manual_seed(1)
    drive = torch.randn(batch, p, generator=generator)
    gradient = torch.randn(batch, p, generator=generator)
    solver: dict[str, Any] = {"tolerance": 1e-4, "max_sweeps": 200, "leak": 0.01}
    sizes = {"nodes": p, "outputs": p, "keep_slope": False}

    def forward() -> Any:  # noqa: ANN401
        return native.forward(plan.packed, drive, weight, torch.zeros(p), **sizes, **solver)

    _, state, slope, converged, status = forward()

    def adjoint() -> Any:  # noqa: ANN401
        return native.adjoint(
            plan.packed, gradient, weight, state, slope, converged, inputs=p, **solver
        )

    _, delta, _ = adjoint()
    a, d = native.to_rows(state, batch), native.to_rows(delta, batch)
    parts: dict[str, Callable[[], object]] = {
        "forward": forward,
        "adjoint": adjoint,
        "edge gradient": lambda: native.edge_gradient(plan.packed, state, delta, keep),
        "dense gradient": lambda: native.dense_gradient(state, delta),
        "plan": lambda: build_plan(topology, codes),
        "choose edges": lambda: _core.select_largest(matrix, keep),
        "a^T d alone": lambda: d.T @ a,
    }
    times = {name: median_ms(work, repeats) for name, work in parts.items()}
    step = times["forward"] + times["adjoint"] + times["edge gradient"]
    print(f"{status[0]:.0f} sweeps, residual {status[1]:.1e}, {status[2]:.0f} samples unsolved")
    for name, value in times.items():
        print(f"  {name:15} {value:8.2f} ms")
    print(f"  step (forward + adjoint + edge gradient) {step:.2f} ms", end=", ")
    print(f"{step / times['a^T d alone']:.2f} x a^T d")
    print(f"  plan / step {100 * times['plan'] / step:.1f} %")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=3000)
    parser.add_argument("--keep", type=int, default=45000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=21)
    options = parser.parse_args()
    print(
        f"{platform.processor() or platform.machine()}, instruction set {_core.instruction_set()}, "
        f"{torch.get_num_threads()} threads, p = {options.nodes}, k = {options.keep}, "
        f"batch {options.batch}, float32"
    )
    # Weights as drawn, and stronger ones as training makes them, which need more sweeps.
    for gain in (1, 4, 6):
        generator = torch.Generator().manual_seed(0)
        scale = gain * 0.5 / options.nodes**0.5
        print(f"\nweights x {gain}: ", end="")
        matrix = scale * torch.randn(options.nodes, options.nodes, generator=generator)
        measure(matrix, options.keep, options.batch, options.repeats)


if __name__ == "__main__":
    main()
