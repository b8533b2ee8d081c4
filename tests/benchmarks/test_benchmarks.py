import importlib.util
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from nervure.benchmarks import (
    BENCHMARKS,
    DisagreementError,
    Settings,
    dag_sweep,
    equilibrium,
    layer_peers,
    neural_modules_step,
    scale,
    sparse_step,
)
from nervure.benchmarks.equilibrium_peers import NEWTON, Newton, Problem, Solution, torchdeq_solver
from nervure.benchmarks.wiring import modular, module_weights, one_component, window_dag
from nervure.topology import Topology

QUICK = Settings(quick=True, repeats=1)
SIZES = [6, 8, 5]


def without(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)


def needs(name):
    return pytest.mark.skipif(importlib.util.find_spec(name) is None, reason=f"no {name}")


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_runs(name):
    report = BENCHMARKS[name].run(QUICK)
    assert report.benchmark == name
    assert report.rows
    for row in report.rows:
        assert row.ours_ms > 0
        assert row.ratios
        for peer, milliseconds in row.peers.items():
            assert row.ratios[peer] == pytest.approx(milliseconds / row.ours_ms)
        assert row.max_error is None or row.max_error <= 5e-3


def test_missing_peers_are_named_and_skipped(monkeypatch):
    without(monkeypatch, "sparselab")
    report = BENCHMARKS["sparse-step"].run(QUICK)
    assert report.skipped == {"sparselab": 'pip install "nervure[bench]"'}
    assert {"dense", "masked dense", "torch sparse CSR"} == set(report.rows[0].peers)


def test_missing_torchdeq_leaves_newton(monkeypatch):
    without(monkeypatch, "torchdeq")
    report = BENCHMARKS["equilibrium"].run(QUICK)
    assert list(report.skipped) == ["torchdeq"]
    assert set(report.rows[0].peers) == {NEWTON}


def test_the_import_takes_no_peer():
    code = "import sys, nervure.benchmarks; print({'torchdeq', 'sparselab'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# -- peers of layers -----------------------------------------------------------------------------


def small_layers():
    topology = Topology.layered(SIZES, density=0.5, seed=0)
    weight = torch.randn(topology.num_edges, generator=torch.Generator().manual_seed(0))
    return topology, weight, layer_peers.layers_of(topology, SIZES, weight)


def test_layers_hold_the_weights_of_the_topology():
    topology, weight, layers = small_layers()
    matrix = torch.zeros(topology.num_nodes, topology.num_nodes)
    matrix[topology.targets.astype(np.int64), topology.sources.astype(np.int64)] = weight
    assert torch.equal(layers[0].csr().to_dense(), matrix[6:14, :6])
    assert torch.equal(layers[1].csr().to_dense(), matrix[14:, 6:14])


def test_csr_layers_have_the_gradients_of_masked_ones():
    *_, layers = small_layers()
    inputs = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))
    gradients = []
    for network in (layer_peers.masked(layers), layer_peers.sparse_csr(layers)):
        x = inputs.clone().requires_grad_()
        network(x).square().sum().backward()
        gradients.append((x.grad, network[0]))
    (x_masked, masked), (x_csr, csr) = gradients
    torch.testing.assert_close(x_csr, x_masked)
    rows = torch.repeat_interleave(torch.arange(8), layers[0].offsets.diff())
    torch.testing.assert_close(csr.values.grad, masked.linear.weight.grad[rows, layers[0].columns])
    assert masked.linear.weight.grad.count_nonzero() <= len(rows)


@pytest.mark.parametrize(
    "name",
    ["masked dense", "torch sparse CSR", pytest.param("sparselab", marks=needs("sparselab"))],
)
def test_gradients_come_in_the_order_of_edges_and_nodes(name):
    topology, _, layers = small_layers()
    inputs = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))
    dense = layer_peers.dense(layers)
    network = layer_peers.PEERS[name](layers)
    for one in (dense, network):
        one(inputs).square().sum().backward()
    matrix = torch.zeros(topology.num_nodes, topology.num_nodes)
    matrix[6:14, :6], matrix[14:, 6:14] = dense[0].weight.grad, dense[2].weight.grad
    edges = topology.targets.astype(np.int64), topology.sources.astype(np.int64)
    torch.testing.assert_close(layer_peers.edge_gradients(network, layers), matrix[edges])
    torch.testing.assert_close(layer_peers.edge_gradients(dense, layers), matrix[edges])
    biases = torch.cat([dense[0].bias.grad, dense[2].bias.grad])
    torch.testing.assert_close(layer_peers.bias_gradients(network), biases)


@needs("sparselab")
def test_sparselab_holds_the_same_weights():
    *_, layers = small_layers()
    inputs = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))
    network = layer_peers.sparselab(layers)
    torch.testing.assert_close(network(inputs), layer_peers.dense(layers)(inputs))


def test_a_wrong_peer_stops_the_benchmark(monkeypatch):
    right = layer_peers.masked

    def wrong(layers):
        network = right(layers)
        torch.nn.init.ones_(network[0].linear.bias)
        return network

    monkeypatch.setitem(layer_peers.PEERS, "masked dense", wrong)
    with pytest.raises(DisagreementError, match=r"masked dense, loss: nervure gives"):
        sparse_step.rows(QUICK)


def test_a_wrong_gradient_stops_the_benchmark(monkeypatch):
    right = layer_peers.edge_gradients
    monkeypatch.setattr(layer_peers, "edge_gradients", lambda *a: 1.01 * right(*a))
    with pytest.raises(DisagreementError, match=r"dense, gradients of the weights: nervure gives"):
        sparse_step.rows(QUICK)


@pytest.mark.parametrize(
    ("ratios", "said"),
    [
        ([4.0, 0.25], "as fast as dense at density 0.30"),
        ([4.0, 2.0], "faster than dense up to density 0.5"),
        ([0.5, 0.2], "from density 0.1 on"),
    ],
)
def test_break_even_density(ratios, said):
    assert said in sparse_step.crossing([0.1, 0.5], ratios)


# -- peers of sweeps -----------------------------------------------------------------------------


def test_loops_solve_the_triangle():
    generator = torch.Generator().manual_seed(0)
    weight = 0.1 * torch.randn(150, 150, generator=generator).tril(-1)
    drive = torch.randn(150, 3, generator=generator)
    for loop in (dag_sweep.neuron_loop, dag_sweep.blocked_loop):
        values = loop(weight, drive)
        torch.testing.assert_close(values, torch.relu(drive + weight @ values))


def test_rates_count_edges_alone():
    # 2 * 5000 * 10 flops in 1 ms, 2 * 100^2 * 10 in 0.5 ms.
    said = "0.1 useful Gflop/s, 25 % of the GEMM's 0.4"
    assert dag_sweep.rates(5000, 100, 10, 1.0, 0.5) == said


def small_problem():
    generator = torch.Generator().manual_seed(0)
    topology = modular(12, 4)
    matrix = torch.zeros(12, 12)
    edges = topology.targets.astype(np.int64), topology.sources.astype(np.int64)
    matrix[edges] = 0.4 * torch.randn(topology.num_edges, generator=generator)
    return Problem(
        matrix,
        torch.randn(5, 12, generator=generator),
        torch.randn(5, 12, generator=generator),
        4,
    )


def assert_solved(problem, solution):
    assert problem.residual(solution.values) <= 1e-4
    assert problem.adjoint_residual(solution.values, solution.delta) <= 1e-4


def test_newton_reaches_the_residual():
    problem = small_problem()
    assert_solved(problem, Newton(problem, 1e-4)())


@needs("torchdeq")
@pytest.mark.parametrize("method", ["fixed_point_iter", "anderson", "broyden"])
def test_torchdeq_reaches_the_residual(method):
    problem = small_problem()
    assert_solved(problem, torchdeq_solver(problem, method, 1e-4, budget=20)())


@needs("torchdeq")
def test_torchdeq_that_does_not_reach_it_says_so():
    assert "stopped at a residual" in torchdeq_solver(
        small_problem(), "fixed_point_iter", 0.0, budget=20
    )


def test_residuals_see_what_is_not_solved():
    problem = small_problem()
    exact = Newton(problem, 1e-6)()
    off = Solution(exact.values + 0.01, exact.delta + 0.01)
    assert problem.residual(off.values) > 1e-4
    assert problem.adjoint_residual(exact.values, off.delta) > 1e-4


def test_what_is_called_turning_is_beyond_sweeps():
    [row] = [row for row in equilibrium.rows(QUICK) if "turning" in row.case]
    sweeps = int(row.notes.split(" sweeps")[0].split()[-1])
    assert sweeps > 50


def test_unsolved_equilibria_of_ours_stop_the_benchmark(monkeypatch):
    monkeypatch.setattr(Problem, "residual", lambda *_: 1e-3)
    with pytest.raises(DisagreementError, match=r"values is 0\.001, not 0\.0001"):
        equilibrium.rows(QUICK)


def test_a_step_that_does_not_solve_stops_the_benchmark(monkeypatch):
    monkeypatch.setattr(neural_modules_step, "_residual", lambda *_: 0.5)
    with pytest.raises(DisagreementError, match=r"residual is 0\.5, not 0\.0001"):
        neural_modules_step.rows(QUICK)


def test_module_weights_contract():
    weight = module_weights(12, 4, torch.Generator().manual_seed(0))
    topology = modular(12, 4)
    matrix = torch.zeros(12, 12)
    matrix[topology.targets.astype(np.int64), topology.sources.astype(np.int64)] = weight
    for begin in (0, 4, 8):
        block = matrix[begin : begin + 4, begin : begin + 4]
        assert torch.linalg.matrix_norm(block, ord=2).item() == pytest.approx(0.95)


# -- graphs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("density", [0.05, 0.3])
def test_one_component_is_one(density):
    topology = one_component(40, density, seed=0)
    assert topology.components.count == 1
    assert topology.num_edges == pytest.approx(density * 40 * 39, abs=25)
    assert topology == one_component(40, density, seed=0)


def test_modular_graphs_are_complete_blocks():
    topology = modular(12, 4)
    whole = Topology.complete(4)
    assert topology.components.sizes.tolist() == [4, 4, 4]
    assert topology.edges[:12].tolist() == whole.edges.tolist()
    assert (topology.edges[12:24] - 4).tolist() == whole.edges.tolist()


@pytest.mark.parametrize("window", [30, None])
def test_window_graphs_read_from_distinct_neurons_before(window):
    topology = window_dag(200, 7, window, seed=0)
    reach = topology.targets - topology.sources
    assert topology.is_acyclic
    assert topology.num_edges == 193 * 7
    assert reach.min() >= 1
    assert reach.max() <= (window or 200)
    assert set(topology.in_degree.tolist()) == {0, 7}


def test_slope_is_the_exponent():
    assert scale.slope([10, 100, 1000], [3.0, 30.0, 300.0]) == pytest.approx(1.0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc")
def test_memory_holds_weights_gradients_momentum_and_index(monkeypatch):
    monkeypatch.setattr(scale, "_QUICK", ((1000, 5), (40_000, 50)))
    row = scale.rows(QUICK)[1]
    found = float(re.search(r"([\d.]+) bytes per edge in training", row.notes)[1])
    assert 16 <= found <= 40
