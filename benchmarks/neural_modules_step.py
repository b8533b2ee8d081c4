"""Time of one neural-modules training step, part by part.

    python benchmarks/neural_modules_step.py [--nodes 3000] [--keep 45000] [--batch 128]

Prints medians over several repetitions: the forward sweep to a residual of 1e-4, the adjoint sweep,
the gradient of the kept edges and of all possible edges, the plan for a new topology, and the choice
of the kept edges; then the plan as a share of the sweeps, and the sweeps relative to one dense
product of the same sizes (a^T d), measured in the same run.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable

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


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=3000)
    parser.add_argument("--keep", type=int, default=45000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=21)
    options = parser.parse_args()
    p, k, batch = options.nodes, options.keep, options.batch
    print(
        f"{platform.processor() or platform.machine()}, instruction set {_core.instruction_set()}, "
        f"{torch.get_num_threads()} threads, p = {p}, k = {k}, batch {batch}, float32"
    )
    generator = torch.Generator().manual_seed(0)
    codes = activation_codes("tanh", p)
    every = np.arange(p, dtype=np.int32)
    # Kept edges as drawn, and stronger ones as training makes them (more sweeps).
    for gain in (1, 4, 6):
        matrix = gain * 0.5 / p**0.5 * torch.randn(p, p, generator=generator)
        indptr, sources, _ = _core.select_largest(matrix, k)
        topology = Topology(p, indptr, sources, every, every)
        plan = build_plan(topology, codes)
        weight = torch.empty(k)
        _core.gather_edges(plan.packed, matrix, weight)
        drive = torch.randn(batch, p, generator=generator)
        gradient = torch.randn(batch, p, generator=generator)
        bias = torch.zeros(p)
        solver = {"tolerance": 1e-4, "max_sweeps": 200, "leak": 0.01}

        def forward():
            return native.forward(
                plan.packed, drive, weight, bias, nodes=p, outputs=p, keep_slope=False, **solver
            )

        _, state, slope, converged, status = forward()

        def adjoint():
            return native.adjoint(
                plan.packed, gradient, weight, state, slope, converged, inputs=p, **solver
            )

        _, delta, _ = adjoint()
        a, d = native.to_rows(state, batch), native.to_rows(delta, batch)
        times = {
            "forward": median_ms(forward, options.repeats),
            "adjoint": median_ms(adjoint, options.repeats),
            "edge gradient": median_ms(
                lambda: native.edge_gradient(plan.packed, state, delta, k), options.repeats
            ),
            "dense gradient": median_ms(
                lambda: native.dense_gradient(state, delta), options.repeats
            ),
            "plan": median_ms(lambda: build_plan(topology, codes), options.repeats),
            "choose edges": median_ms(lambda: _core.select_largest(matrix, k), 5),
            "a^T d alone": median_ms(lambda: d.T @ a, options.repeats),
        }
        sweeps = times["forward"] + times["adjoint"]
        print(
            f"\nweights x {gain}: {status[0]:.0f} sweeps, residual {status[1]:.1e}, "
            f"{status[2]:.0f} samples unsolved"
        )
        for name, value in times.items():
            print(f"  {name:15} {value:8.2f} ms")
        print(f"  forward + adjoint {sweeps:6.2f} ms, {sweeps / times['a^T d alone']:.2f} x a^T d")
        print(f"  plan / (forward + adjoint) {100 * times['plan'] / sweeps:.1f} %")


if __name__ == "__main__":
    main()
