"""Time and memory of graph analysis, from 10^4 to 10^6 nodes.

Run it with

    python benchmarks/topology_scale.py
    python benchmarks/topology_scale.py --nodes 1000 100000 --edges-per-node 20

Each size runs in a process of its own, so that the peak of memory belongs to it. The yardstick is
SciPy's connected_components on the same graph in the same process; it labels the components and
does no more, while `components` also orders them.
"""

from __future__ import annotations

import argparse
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from scipy.sparse.csgraph import connected_components

from nervure.topology import erdos_renyi

COLUMNS = "{:>9} {:>9} {:>7} {:>10} {:>7} {:>7} {:>7} {:>10} {:>13} {:>16}"
HEADINGS = (
    "nodes",
    "edges",
    "draw",
    "components",
    "levels",
    "live",
    "rewire",
    "scipy/ours",
    "B/edge: drawn",
    "B/edge: analysed",
)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Call and return the result and the seconds."""
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def peak_bytes() -> int:
    """Return the largest resident size so far; Linux counts it in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024


def measure(nodes: int, edges: int) -> str:
    """Make one line of the table."""
    before = peak_bytes()
    graph, draw = timed(lambda: erdos_renyi(nodes, edges=edges, seed=0))
    drawn = peak_bytes()
    parts, components = timed(lambda: graph.components)
    _, levels = timed(lambda: graph.levels)
    _, live = timed(lambda: graph.live)
    analysed = peak_bytes()
    matrix = graph.to_scipy()
    (count, _), scipy = timed(lambda: connected_components(matrix, connection="strong"))
    if count != parts.count:
        raise SystemExit(f"SciPy finds {count} components, not {parts.count}")
    _, rewire = timed(lambda: graph.keep(graph.sources % 7 != 0).edge_positions_in(graph))
    seconds = [f"{value:.3f}" for value in (draw, components, levels, live, rewire)]
    ratio = f"{scipy / components:.2f}"
    memory = [f"{(peak - before) / edges:.0f}" for peak in (drawn, analysed)]
    return COLUMNS.format(nodes, edges, *seconds, ratio, *memory)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, nargs="+", default=[10**4, 10**5, 10**6])
    parser.add_argument("--edges-per-node", type=int, default=10)
    parser.add_argument("--one", action="store_true", help="measure in this process")
    arguments = parser.parse_args()
    if arguments.one:
        print(measure(arguments.nodes[0], arguments.nodes[0] * arguments.edges_per_node))
        return
    print("Seconds of each step. scipy/ours: SciPy's seconds by those of components.")
    print("B/edge: growth of the process's peak by edge, after drawing and after analysing.")
    print(COLUMNS.format(*HEADINGS))
    for nodes in arguments.nodes:
        command = [sys.executable, __file__, "--one", "--nodes", str(nodes)]
        command += ["--edges-per-node", str(arguments.edges_per_node)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
