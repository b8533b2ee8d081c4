"""The whole of sculpting: against the two algorithms written plainly, and what it lays bare."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from nervure import GraphLayer, SparseMLP, Topology
from nervure.errors import EngineError
from nervure.modules import boolean_task, detect_modules
from nervure.rules import HalvingSearch
from nervure.training.sculpting import Progress, SculptingOptions, Task, sculpt, sparsest

from .plain import sculpt_plainly, start_of, task_of

OPTIONS = SculptingOptions(
    epochs=10, batch_size=8, learning_rate=0.05, noise=0.1, threshold=0.9,
    unit_steps=(0.4,), edge_steps=(0.05,),
)  # fmt: skip


def boolean(name):
    x, y = boolean_task(name).truth_table()
    return Task.of(x, y, x, y, "bits")


def present(topology):
    mask = np.zeros((topology.num_nodes,) * 2, dtype=bool)
    mask[topology.targets, topology.sources] = True
    return mask


def course_of(network):
    return [(r.phase, r.share, r.accepted) for r in network.rounds]


def assert_same_course(network, rounds):
    course = course_of(network)
    assert [(r[0], r[2]) for r in course] == [(r[0], r[2]) for r in rounds]
    np.testing.assert_allclose([r[1] for r in course], [r[1] for r in rounds])


# -- against the plain way -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "sizes", "seed", "unit_step", "edge_step"),
    [
        ("[4, 2, 4]", (4, 8, 4), 2, 0.4, 0.05),
        ("[4, 2, 4]", (4, 8, 4), 2, None, 0.1),
        ("[4, 2, 4]", (4, 8, 8, 4), 0, 0.4, None),
        ("[4, 2, 4]", (4, 8, 4), 0, 0.4, 0.05),
        ("[6, 3, 3, 3]", (6, 8, 3), 0, 0.4, 0.05),
        ("[6, 3, 3, 3]", (6, 8, 3), 0, 0.4, None),
        ("[6, 3, 3, 3]", (6, 8, 3), 0, None, 0.1),
    ],
)
def test_rounds_and_edges_are_those_of_the_algorithms(name, sizes, seed, unit_step, edge_step):
    task, start = boolean(name), start_of(sizes, seed)
    options = replace(
        OPTIONS,
        batch_size=len(task.x) // 2,
        unit_steps=(unit_step,) if unit_step else (),
        edge_steps=(edge_step,) if edge_step else (),
    )
    ((found,),) = sculpt([start], task, options, seeds=[seed])
    plain, rounds = sculpt_plainly(start, sizes, task, options, seed, unit_step, edge_step)
    assert_same_course(found, rounds)
    np.testing.assert_array_equal(present(found.topology), plain.present())
    assert (found.unit_step, found.edge_step) == (unit_step, edge_step)


# -- side by side ----------------------------------------------------------------------------------


def mixed():
    return [
        start_of((4, 8, 3), 0),
        start_of((4, 6, 5, 3), 1, "tanh"),
        start_of((4, 10, 3), 2, "sigmoid", density=0.8),
    ]


@pytest.mark.parametrize("stop_early", [False, True])
@pytest.mark.parametrize("threshold", [None, 0.75])
def test_networks_become_what_each_becomes_alone(stop_early, threshold):
    task, seeds = task_of("bits"), [3, 4, 3]
    # Of the first start and the second, the thresholds differ if none is given.
    options = replace(
        OPTIONS, threshold=threshold, tolerance=0.1, stop_early=stop_early, edge_steps=(0.1,)
    )
    together = sculpt(mixed(), task, options, seeds=seeds)
    for start, seed, networks in zip(mixed(), seeds, together, strict=True):
        (alone,) = sculpt([start], task, options, seeds=[seed])
        for network, other in zip(networks, alone, strict=True):
            assert network.topology == other.topology
            assert_same_course(network, course_of(other))
            assert [r.epochs for r in network.rounds] == [r.epochs for r in other.rounds]
            assert network.threshold == pytest.approx(other.threshold)


@pytest.mark.parametrize("threshold", [None, 0.75])
@pytest.mark.parametrize("stop_early", [False, True])
def test_one_that_diverges_leaves_the_others_alone(threshold, stop_early):
    task, (first, second, _) = task_of("bits"), mixed()
    options = replace(
        OPTIONS, epochs=4, threshold=threshold, stop_early=stop_early, edge_steps=(0.1,)
    )
    with torch.no_grad():
        second.weight[0] = float("nan")
    (sound,), (lost,) = sculpt([first, second], task, options, seeds=[0, 0])
    ((alone,),) = sculpt([first], task, options, seeds=[0])
    assert not lost.reached
    assert np.isnan(lost.merit)
    assert [(r.phase, r.accepted) for r in lost.rounds] == [("dense", False)]
    assert lost.topology == second.topology
    np.testing.assert_array_equal(lost.weight, second.weight.detach())
    assert sound.topology == alone.topology
    np.testing.assert_allclose(sound.weight, alone.weight, rtol=1e-3, atol=1e-5)


def test_every_branch_of_the_grid_is_what_it_is_alone_and_in_order():
    task, start = task_of("bits"), start_of((4, 8, 3))
    units, edges = (0.5, 0.2), (0.1, 0.05, 0.2)
    options = replace(OPTIONS, epochs=4, threshold=0.7, unit_steps=units, edge_steps=edges)
    (networks,) = sculpt([start], task, options, seeds=[1])
    assert [(n.unit_step, n.edge_step) for n in networks] == [(u, e) for u in units for e in edges]
    for network in networks:
        one = replace(options, unit_steps=(network.unit_step,), edge_steps=(network.edge_step,))
        ((alone,),) = sculpt([start], task, one, seeds=[1])
        assert network.topology == alone.topology
        assert_same_course(network, course_of(alone))


def test_starts_stay_as_they_are():
    start = start_of((4, 8, 3))
    topology, weight = start.topology, start.weight.detach().clone()
    sculpt([start], task_of("bits"), replace(OPTIONS, epochs=2), seeds=[0])
    assert start.topology == topology
    assert torch.equal(start.weight, weight)


def test_progress_counts_what_is_trained():
    told = []
    task, starts = task_of("bits"), mixed()
    options = replace(OPTIONS, epochs=2, threshold=0.6, edge_steps=(0.1, 0.2))
    results = sculpt(starts, task, options, seeds=[0, 1, 2], on_round=told.append)
    assert [p.round for p in told] == list(range(len(told)))
    assert replace(told[0], judged=()) == Progress(
        0, 3, 0, sum(s.topology.num_edges for s in starts), told[0].seconds
    )
    assert [j.trial for j in told[0].judged] == [0, 1, 2]
    assert sum(len(p.judged) for p in told) == sum(p.active for p in told)
    assert all(a.seconds <= b.seconds for a, b in pairwise(told))
    # Up to settling, the branches of a start are one.
    shared = [
        next(k for k, r in enumerate(ns[0].rounds) if r.phase == "settle") + 1 for ns in results
    ]
    trained = sum(
        common + sum(len(n.rounds) - common for n in ns)
        for common, ns in zip(shared, results, strict=True)
    )
    assert trained == sum(p.active for p in told)
    assert max(len(n.rounds) for ns in results for n in ns) == len(told)


# -- thresholds ------------------------------------------------------------------------------------


def test_without_a_threshold_it_is_the_dense_merit_less_the_tolerance():
    task, start = task_of("regression"), start_of((4, 8, 3))
    for tolerance in (0.0, 0.05):
        options = replace(OPTIONS, threshold=None, tolerance=tolerance)
        ((found,),) = sculpt([start], task, options, seeds=[0])
        assert found.threshold == found.rounds[0].merit - tolerance
        assert found.reached
        assert found.rounds[0].accepted
        accepted = [r for r in found.rounds if r.accepted]
        assert found.merit == accepted[-1].merit >= found.threshold


def test_what_never_reaches_the_threshold_stays_dense():
    start = start_of((4, 8, 3))
    ((found,),) = sculpt([start], task_of("bits"), replace(OPTIONS, threshold=1.5), seeds=[0])
    assert not found.reached
    assert found.topology == start.topology
    assert {r.phase for r in found.rounds} == {"dense", "unit", "settle", "edge"}
    assert found.merit == found.rounds[0].merit < 1.5


def test_what_always_reaches_it_is_pruned_to_the_last():
    start = start_of((4, 8, 3))
    ((found,),) = sculpt([start], task_of("bits"), replace(OPTIONS, threshold=0.0), seeds=[0])
    # A share of all is never tried.
    units = {int(n) for n in found.topology.targets if n in start.topology.interior}
    assert len(units) == 1
    assert found.topology.num_edges == 1


def test_stopping_early_takes_fewer_epochs():
    task, start = boolean("[4, 2, 4]"), start_of((4, 16, 4))
    options = replace(OPTIONS, threshold=0.8)
    ((whole,),) = sculpt([start], task, options, seeds=[0])
    ((early,),) = sculpt([start], task, replace(options, stop_early=True), seeds=[0])
    assert {r.epochs for r in whole.rounds} == {10}
    assert min(r.epochs for r in early.rounds) < 10
    assert early.reached
    for r in early.rounds:
        assert r.accepted or r.epochs == 10
    # Without a threshold there is nothing to stop at before the dense network is trained.
    ((free,),) = sculpt([start], task, replace(options, threshold=None, stop_early=True), seeds=[0])
    assert free.rounds[0].epochs == 10


# -- steps -----------------------------------------------------------------------------------------


def phases_of(network):
    return list(dict.fromkeys(r.phase for r in network.rounds))


def test_units_alone_or_edges_alone():
    task, start = task_of("bits"), start_of((4, 8, 3))
    options = replace(OPTIONS, epochs=3, threshold=0.6)
    (units,) = sculpt([start], task, replace(options, edge_steps=()), seeds=[0])
    (edges,) = sculpt([start], task, replace(options, unit_steps=()), seeds=[0])
    assert [phases_of(n) for n in (*units, *edges)] == [["dense", "unit"], ["dense", "edge"]]
    assert [(n.unit_step, n.edge_step) for n in (*units, *edges)] == [(0.4, None), (None, 0.05)]


def test_networks_without_hidden_units_lose_edges_only():
    task, starts = task_of("bits"), [start_of((4, 3)), start_of((4, 6, 3))]
    (bare,), (other,) = sculpt(starts, task, replace(OPTIONS, threshold=0.6), seeds=[0, 0])
    assert phases_of(bare) == ["dense", "edge"]
    assert phases_of(other) == ["dense", "unit", "settle", "edge"]
    assert bare.unit_step is None
    assert bare.topology.num_edges < 12
    ((dense,),) = sculpt([starts[0]], task, replace(OPTIONS, edge_steps=()), seeds=[0])
    assert phases_of(dense) == ["dense"]
    assert dense.topology == starts[0].topology


def test_a_search_with_nothing_to_try_has_no_round():
    # All of one hidden unit, or of one edge, cannot go.
    task, start = task_of("bits"), start_of((4, 1, 3))
    assert HalvingSearch(1.0, 1.0).done
    options = replace(OPTIONS, unit_steps=(1.0,), edge_steps=(1.0,), threshold=0.0)
    ((found,),) = sculpt([start], task, options, seeds=[0])
    assert phases_of(found) == ["dense", "settle", "edge"]
    single = Topology.from_edges([(0, 1)], 2, [0], [1])
    tiny = Task.of(np.ones((2, 1)), np.ones((2, 1)), np.ones((2, 1)), np.ones((2, 1)), "bits")
    ((one,),) = sculpt([GraphLayer(single)], tiny, replace(options, unit_steps=()), seeds=[0])
    assert [r.phase for r in one.rounds] == ["dense"]


def test_rounds_tell_what_was_trained():
    start = start_of((4, 8, 3))
    ((found,),) = sculpt([start], task_of("bits"), replace(OPTIONS, threshold=0.7), seeds=[0])
    assert (found.rounds[0].nodes, found.rounds[0].edges) == (8, 56)
    for r in found.rounds:
        if r.phase == "unit":
            # All layers are dense still: each unit has 4 edges in and 3 out.
            assert r.edges == 7 * r.nodes
            assert r.nodes < 8
    last = [r for r in found.rounds if r.accepted][-1]
    assert last.edges == found.topology.num_edges


# -- what is laid bare -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "hidden", "unit_steps", "edge_steps", "edges", "modules"),
    [
        ("[4, 2, 4]", 1, (0.3, 0.5, 0.7), (0.015, 0.025), 16, 2),
        ("[6, 3, 3, 3]", 1, (0.3, 0.5, 0.7), (0.015, 0.025), 12, 6),
        ("[6, 3, 3, 3]", 2, (0.2, 0.4), (0.01, 0.02), 15, 6),
        ("[6, 3, 3, 3]", 3, (0.3, 0.5, 0.7), (0.015, 0.025), 18, 6),
    ],
)
def test_the_functions_of_the_paper_are_laid_bare(
    name, hidden, unit_steps, edge_steps, edges, modules
):
    task, seeds = boolean(name), [0, 1, 2]
    sizes = [task.x.shape[1], *[24] * hidden, task.y.shape[1]]
    options = SculptingOptions(
        epochs=15 if hidden == 3 else 10, batch_size=8 if len(task.x) == 16 else 32,
        learning_rate=0.05, noise=0.1, threshold=1.0, unit_steps=unit_steps,
        edge_steps=edge_steps,
    )  # fmt: skip
    starts = [SparseMLP(sizes, density=1.0, seed=seed).core for seed in seeds]
    grids = sculpt(starts, task, options, seeds=seeds)
    bare = sparsest([sparsest(networks) for networks in grids])
    assert bare.merit == 1.0
    assert bare.topology.num_edges == edges
    found = detect_modules(bare.topology)
    assert (found.num_edges, len(found.modules)) == (edges, modules)


# -- mistakes --------------------------------------------------------------------------------------


def layer(sizes=(4, 5, 3), **kwargs):
    return GraphLayer(Topology.layered(sizes), **kwargs)


@pytest.mark.parametrize(
    ("starts", "seeds", "objective", "said"),
    [
        ([], [], "bits", "starts: expected at least one layer, got none"),
        ([layer()], [0, 1], "bits", "seeds: expected one per start, 1, got 2"),
        ([layer()], [-1], "bits", "seeds: expected at least 0, got -1"),
        ([layer(storage="dense")], [0], "bits", "start 0: expected sparse storage and biases"),
        ([layer(block=2)], [0], "bits", "start 0: expected sparse storage .* without blocks"),
        ([layer(tied=1)], [0], "bits", "without blocks or ties"),
        ([layer(bias=False)], [0], "bits", "start 0: expected sparse storage and biases"),
        ([layer(input_bias=True)], [0], "bits", "expected input_bias=False"),
        ([layer(), layer(leak=0.2)], [0, 0], "bits", "start 1: .* the leak of the first"),
        ([layer(outputs=[9])], [0], "bits", "expected the inputs and outputs of its topology"),
        ([layer(inputs=[3, 2, 1, 0])], [0], "bits", "expected the inputs and outputs"),
        ([GraphLayer(Topology.complete(4))], [0], "bits", "expected a graph without cycles"),
        ([GraphLayer(Topology.from_edges([], 7, range(4), [4, 5, 6]))], [0], "bits", "got none"),
        ([layer(dtype=torch.float64)], [0], "bits", "expected float32 on the CPU, got torch"),
        ([layer((3, 5, 3))], [0], "bits", "start 0: expected 4 inputs, got 3"),
        ([layer(), layer((4, 5, 2))], [0, 0], "bits", "as many outputs as the first, 3, got 2"),
        ([layer((4, 5, 2))], [0], "bits", "start 0: expected 3 outputs, got 2"),
        ([layer((4, 5, 2))], [0], "regression", "start 0: expected 3 outputs, got 2"),
        ([layer((4, 5, 2))], [0], "classification", "expected at least 3 outputs, got 2"),
    ],
)
def test_mistakes_are_named(starts, seeds, objective, said):
    with pytest.raises(EngineError, match=said):
        sculpt(starts, task_of(objective), OPTIONS, seeds=seeds)


def test_the_first_three_mistakes_are_told():
    starts = [layer((3, 5, 3)) for _ in range(5)]
    with pytest.raises(EngineError, match=r"start 0: .*; start 1: .*; start 2: .*; and 2 more"):
        sculpt(starts, task_of("bits"), OPTIONS, seeds=[0] * 5)


def test_more_outputs_than_classes_are_allowed():
    options = replace(OPTIONS, epochs=1, threshold=0.0, edge_steps=())
    ((found,),) = sculpt([layer((4, 3, 5))], task_of("classification"), options, seeds=[0])
    assert 0 <= found.merit <= 1


def test_all_starts_have_the_leak_of_the_first():
    task = task_of("bits")
    options = replace(OPTIONS, epochs=2, threshold=2.0, edge_steps=())
    merits = []
    for leak in (0.01, 0.9):
        start = GraphLayer(
            Topology.layered((4, 8, 3)), activation="leaky_relu", leak=leak,
            generator=torch.Generator().manual_seed(0),
        )  # fmt: skip
        ((found,),) = sculpt([start], task, options, seeds=[0])
        found.into(start)
        with torch.no_grad():
            right = (start(task.x_validation) > 0) == (task.y_validation > 0.5)
        assert float(right.double().mean()) == pytest.approx(found.merit)
        merits.append(found.weight)
    assert (merits[0] != merits[1]).any()
