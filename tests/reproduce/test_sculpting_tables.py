"""Tables and figures from results made by hand."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from nervure.modules import ClusteringMethod, input_separation
from nervure.reproduce import sculpting, sculpting_figures, sculpting_structure, sculpting_tables
from nervure.reproduce.sculpting_image_tables import image_successes, image_trials
from nervure.reproduce.sculpting_report import report_of
from nervure.reproduce.sculpting_trials import Trial, trials, wiring_of
from nervure.reproduce.sculpting_variants import methods, variant_successes


def wired(sizes, pairs):
    """Edges (source, target) by their places in layers, as a ledger has them."""
    first = np.cumsum([0, *sizes])
    return [
        [int(first[layer] + a), int(first[layer + 1] + b)]
        for layer, between in enumerate(pairs)
        for a, b in between
    ]


def trial(sizes, pairs, *, exact=False, found=(), missing=(), edges=None):
    return {
        "merit": 1.0, "wiring": wired(sizes, pairs), "sizes": list(sizes), "modules": 2,
        "live_edges": sum(map(len, pairs)) if edges is None else edges, "exact": exact,
        "found": dict.fromkeys(found, True) | dict.fromkeys(missing, False),
    }  # fmt: skip


def cell(part, task, depth, *, width=24, seeds=2, **more):
    return {"part": part, "task": task, "depth": depth, "width": width, "seeds": seeds, **more}


# Two halves with nothing in common, and everything joined to everything.
HALVES = [[(i, j) for i in range(4) for j in range(4) if i // 2 == j // 2]] * 2
FULL = [[(i, j) for i in range(4) for j in range(4)]] * 2
PARTS = ("part0", "part1")
DENSE = {"merit": 0.9, "wiring": [], "sizes": [4, 4, 4], "found": {}, "exact": False}


def separable(part="validation", depth=1, **more):
    """One of two trials is exact, one shows a half, one has no pruned network, two are missing."""
    good = trial([4, 4, 4], HALVES, exact=True, found=PARTS, edges=16)
    half = trial([4, 4, 4], FULL, found=PARTS[:1], missing=PARTS[1:], edges=20)
    return [
        (cell(part, "[4, 2, 4]", depth, **more), {"epochs": 15, "trials": [good, half]}),
        (cell(part, "[4, 2, 4]", depth, width=36, seeds=1, **more),
         {"epochs": 15, "trials": [DENSE]}),
        (cell(part, "[4, 2, 4]", depth, width=48, **more), {"epochs": None}),
    ]  # fmt: skip


def test_what_was_not_learned_or_not_pruned_is_a_failure():
    (line,) = sculpting_tables.successes(separable(), "validation")
    assert (line.task, line.depth, line.trials, line.not_learned) == ("[4, 2, 4]", 1, 5, 2)
    assert (line.exact, line.found, line.lowest) == (1 / 5, 1 / 5, 1 / 5)
    assert line.live_edges == 18
    assert sculpting_tables.successes(separable(), "reuse") == []
    nothing = sculpting_tables.successes(separable()[2:], "validation")[0]
    assert (nothing.exact, nothing.live_edges) == (0, None)


def test_all_found_is_less_than_exact_and_lowest_less_than_all():
    sizes, full = [4, 3, 2, 4], [[(i, j) for i in range(4) for j in range(3)]]
    kinds = [
        trial(sizes, full, exact=True, found=("shared", "first", "second")),
        trial(sizes, full, found=("shared", "first", "second")),
        trial(sizes, full, found=("shared",), missing=("first", "second")),
        trial(sizes, full, found=("first", "second"), missing=("shared",)),
    ]
    found = [(cell("reuse", "[4, 1, 2, 4]", 2, seeds=4), {"epochs": 10, "trials": kinds})]
    (line,) = sculpting_tables.successes(found, "reuse")
    assert (line.exact, line.found, line.lowest, line.uses) == (1 / 4, 2 / 4, 3 / 4, 2)


def test_lines_keep_the_order_of_the_cells():
    found = [
        (cell("validation", task, depth), {"epochs": None})
        for task in sculpting.VALIDATION
        for depth in (1, 2)
    ]
    lines = sculpting_tables.successes(found, "validation")
    assert [(line.task, line.depth) for line in lines] == [
        (c["task"], c["depth"]) for c, _ in found
    ]


def test_rates_stand_beside_the_paper_s_and_an_x_is_a_cell_that_was_not_learned():
    found = [
        (c, {**r, "trials": r["trials"][:2]} if "trials" in r else r)
        for rate, (c, r) in zip((0.01, 0.05, 0.1), separable("rates", depth=2), strict=True)
        for c in [{**c, "width": 24, "batch_size": 8, "learning_rate": rate}]
    ]
    (line,) = sculpting_tables.rate_lines(found)
    assert (line.task, line.depth, line.batch_size) == ("[4, 2, 4]", 2, 8)
    assert line.ours == (None, 0.5, 0.0, None)
    assert line.run == (False, True, True, True)
    assert line.paper == (1.0, 1.0, 1.0, 1.0)


def overlapping(*, apart):
    """[6, 3, 2, 2] in one hidden layer of four, two for each output; all read all, or not."""
    first = [(i, j) for j in range(4) for i in (range(4) if j < 2 else range(2, 6))]
    if not apart:
        first = [(i, j) for i in range(6) for j in range(4)]
    return trial([6, 4, 2], [first, [(0, 0), (1, 0), (2, 1), (3, 1)]])


def test_the_three_properties_of_overlapping_sub_functions():
    where = cell("overlap", "[6, 3, 2, 2]", 1)
    apart = Trial(where, overlapping(apart=True))
    assert sculpting_tables.properties(apart) == (True, True, True)
    mixed = Trial(where, overlapping(apart=False))
    inputs, outputs, _ = sculpting_tables.properties(mixed)
    assert (inputs, outputs) == (False, True)
    assert sculpting_tables.properties(Trial(where, None)) == (False, False, False)
    assert sculpting_tables.properties(Trial(where, DENSE)) == (False, False, False)
    found = [(where, {"trials": [apart.told, mixed.told]}), ({**where, "width": 36}, {})]
    (line,) = sculpting_tables.overlap_successes(found)
    assert (line.overlap, line.uses, line.trials) == (2, 1, 4)
    assert (line.inputs, line.outputs) == (1 / 4, 2 / 4)


def test_a_hidden_unit_for_both_outputs_belongs_to_neither():
    # Two units for each output and one in the first hidden layer that both read.
    pairs = [
        [(0, 0), (1, 0), (2, 0), (3, 0), (2, 2), (3, 2), (4, 1), (5, 1), (2, 1), (3, 1)],
        [(0, 0), (1, 1), (2, 0), (2, 1)],
        [(0, 0), (1, 1)],
    ]
    there = Trial(cell("overlap", "[6, 3, 2, 2]", 2), trial([6, 3, 2, 2], pairs))
    _, outputs, hidden = sculpting_tables.properties(there)
    assert (outputs, hidden) == (True, False)


@pytest.mark.parametrize(
    ("head", "overlap"), [("8, 2", 0), ("7, 3, 2", 1), ("5, 3, 2", 3), ("4, 1, 2, 2", 4)]
)
def test_overlap_and_uses_are_read_off_the_name(head, overlap):
    task = f"[{head}, 12]"
    assert (sculpting_tables.overlap_of(task), sculpting.uses_of(task)) == (overlap, 6)


def test_levels_are_summed_up_by_what_can_be_expected():
    five = ("left", "right", "middle", "first", "second")
    empty = [[(0, 0)]]
    deep = [
        trial([8, 10], empty, exact=True, found=five),
        trial([8, 10], empty, found=("left", "right"), missing=five[2:]),
    ]
    flat = [trial([8, 10], empty, found=("left", "right"), missing=("merged",))]
    found = [
        (cell("levels", "[8, 2, 1, 2, 16]", 2, seeds=1), {"trials": flat}),
        (cell("levels", "[8, 2, 1, 2, 16]", 3), {"trials": deep}),
        (cell("levels", "[8, 2, 1, 2, 4]", 3), {"epochs": None}),
    ]
    low, high = sculpting_tables.level_successes(found)
    assert (low.separable, low.middle, low.outputs, low.merged) == (1, None, None, 0)
    assert (high.depth, high.trials) == (3, 4)
    assert (high.separable, high.middle, high.outputs) == (2 / 4, 1 / 4, 1 / 4)
    assert high.merged is None


def strengths(products, n90):
    halves = ((0, 1), (2, 3))
    tests = [input_separation(products, a, a, b) for a, b in (halves, halves[::-1])]
    return {
        "products": products, "n90": list(n90),
        "tests": [
            {"t": t.statistic if np.isfinite(t.statistic) else None, "p": t.p_value} for t in tests
        ],
    }  # fmt: skip


APART = [[9.0, 8.0, 0.1, 0.3], [7.0, 9.0, 0.2, 0.1], [0.2, 0.1, 6.0, 7.0], [0.1, 0.4, 8.0, 6.0]]
MIXED = [[5.0, 4.0, 6.0, 3.0], [4.0, 6.0, 5.0, 5.0], [6.0, 4.0, 4.0, 5.0], [3.0, 5.0, 4.0, 5.0]]
EXTREME = [[1.0, 1.0, 0.0, 0.0]] * 2 + [[0.0, 0.0, 1.0, 1.0]] * 2


def structure():
    return [
        (cell("structure", "[4, 2, 4]", depth, width=width), {"kinds": {
            "dense": [strengths(MIXED, [20]), strengths(APART if depth == 1 else MIXED, [20])],
            "edges": [strengths(APART, [5]), strengths(APART, [4])],
            "sculpted": [strengths(APART, [4]), strengths(EXTREME, [4])],
        }})
        for depth in (1, 2)
        for width in (24, 36)
    ] + [
        (cell("structure", "[4, 1, 2, 16]", 2, width=width), {"kinds": {
            kind: [{"products": [[1.0] * 16] * 4, "n90": [a, b]} for a, b in ((x, y), (x + 1, y))]
            for kind, x, y in (("dense", width - 4, width - 3), ("edges", 6, 2), ("sculpted", 3, 2))
        }})
        for width in (24, 36)
    ]  # fmt: skip


def test_both_hypotheses_must_be_rejected():
    lines = sculpting_structure.separations(structure())
    by = {(line.kind, line.depth, line.width): line for line in lines}
    assert len(by) == len(lines) == 3 * 4
    dense = by["dense", 1, 24]
    assert (dense.rejected, dense.networks, dense.paper) == (1, 2, True)
    assert (by["dense", 2, 24].rejected, by["dense", 2, 24].paper) == (0, False)
    assert (by["edges", 2, 36].rejected, by["edges", 2, 36].paper) == (2, None)
    table = np.array(APART)
    expected = stats.ttest_ind(
        table[:2, 2:].ravel(), table[:2, :2].ravel(), equal_var=False, alternative="less"
    )
    assert by["edges", 1, 24].t_first == pytest.approx(expected.statistic)
    assert by["edges", 1, 24].p_first == pytest.approx(expected.pvalue)
    sculpted = by["sculpted", 1, 24]
    # One of the two networks has products that do not vary: t is minus infinity, p is 0.
    assert sculpted.rejected == 2
    assert sculpted.t_first == pytest.approx(expected.statistic)
    alone = [(c, {"kinds": {k: v[1:] for k, v in r["kinds"].items()}}) for c, r in structure()]
    line = next(x for x in sculpting_structure.separations(alone) if x.kind == "sculpted")
    assert (line.t_first, line.p_first) == (-math.inf, 0.0)


def test_one_half_that_is_kept_apart_is_not_enough():
    one = [strengths([*APART[:2], *MIXED[2:]], [9])]
    where = cell("structure", "[4, 2, 4]", 3)
    found = [(where, {"kinds": {"dense": one, "edges": one, "sculpted": one}})]
    for line in sculpting_structure.separations(found):
        assert line.p_first < 0.05 < line.p_second
        assert (line.rejected, line.networks) == (0, 1)


def test_units_that_cover_are_listed_by_layer():
    lines = sculpting_structure.covers(structure())
    assert len(lines) == 3 * 2 * 2
    dense = next(x for x in lines if (x.kind, x.width, x.layer) == ("dense", 36, 1))
    assert dense.networks == (32, 33)


def test_the_example_is_of_two_hidden_layers():
    examples = sculpting_structure.example_products(structure())
    assert examples["dense"] == ("2 hidden layers of 24", MIXED)
    one = sculpting_structure.example_products(structure()[:2])
    assert one["sculpted"] == ("1 hidden layer of 24", APART)


def test_there_are_forty_ways_to_cluster():
    assert len(methods()) == len(set(methods())) == 40
    assert ClusteringMethod() in methods()


def test_ways_to_cluster_are_tried_on_the_networks_of_the_ledger():
    lines = variant_successes(separable())
    assert len(lines) == 40
    assert {line.networks for line in lines} == {2}
    by = {(x.linkage, x.distance, x.criterion): x for x in lines}
    usual = by["average", "cosine", "modularity"]
    # The wiring in halves shows both parts, the full one neither.
    assert (usual.exact, usual.paper) == (0.5, 0.99)
    assert by["ward", "euclidean", "calinski-harabasz"].paper == 0.49
    # Three ANDs with inputs of their own: not every criterion sees three clusters.
    ands = [[(i, i // 2) for i in range(6)], [(0, 0), (1, 0), (0, 1), (2, 1), (1, 2), (2, 2)]]
    where = cell("validation", "[6, 3, 3, 3]", 1, seeds=1)
    exact = {}
    for line in variant_successes([(where, {"trials": [trial([6, 3, 3], ands)]})]):
        exact.setdefault(line.criterion, set()).add(line.exact)
    assert exact["modularity"] == exact["silhouette"] == {1.0}
    assert {0.0} in exact.values()
    assert variant_successes(separable()[2:]) == []


def image(part="two-digits", depth=2, *, seed=0, **told):
    where = {"part": part, "depth": depth, "width": 8, "seed": seed, "threshold": None}
    whole = {"merit": 0.92, "dense_merit": 0.95, "threshold": 0.9, "reached": True, "edges": 8}
    return where, whole | told


def divided(*, separate=True):
    sizes, pairs = [4, 2, 2], [[(0, 0), (1, 0), (2, 1), (3, 1)], [(0, 0), (1, 1)]]
    return {
        "wiring": wired(sizes, pairs), "sizes": sizes, "test_merit": 0.91, "live_edges": 6,
        "live_nodes": 8, "crossing": 0.0, "separate": separate, "inputs": True, "outputs": True,
        "middle": True, "modules": [{"name": "M1"}, {"name": "M2"}],
    }  # fmt: skip


def test_images_are_summed_up_by_depth():
    found = [
        image(**divided()),
        image(seed=1, **divided(separate=False)),
        image(depth=3, reached=False),
        image(depth=3, seed=1, no_modules="no path"),
        image("hierarchical", **divided()),
    ]
    lines = image_trials(found)
    assert [(x.modules, x.live_edges, x.separate) for x in lines[:3]] == [
        (2, 6, True), (2, 6, False), (None, None, False),
    ]  # fmt: skip
    assert (lines[3].crossing, lines[3].test) == (None, None)
    two, three, functions = image_successes(lines)
    assert (two.trials, two.separate, two.inputs) == (2, 0.5, 1.0)
    assert (three.separate, three.middle) == (0.0, 0.0)
    assert two.paper == pytest.approx(33 / 36)
    assert (functions.part, functions.paper) == ("hierarchical", None)


def test_a_wiring_comes_back_from_the_ledger():
    edges = wired([4, 2, 2], [[(0, 0), (3, 1)], [(0, 0), (1, 1)]])
    wiring = wiring_of(edges, [4, 2, 2])
    assert sorted(wiring.edges.tolist()) == sorted(edges)
    assert (wiring.inputs.tolist(), wiring.outputs.tolist()) == ([0, 1, 2, 3], [6, 7])
    where, result = separable()[0]
    seen = trials([(where, result)], "validation")[0]
    layers = [nodes.tolist() for nodes in seen.detection().modules]
    assert sorted(map(sorted, layers)) == [[0, 1, 4, 5, 8, 9], [2, 3, 6, 7, 10, 11]]


def everything():
    """Something for every figure."""
    chain = [[(i, i % 4) for i in range(8)], [(i, j) for i in range(4) for j in range(4)]]
    return [
        *structure(),
        *separable(),
        *separable(depth=2),
        *(
            (cell(part, f"[{head}, {2 * uses}]", depth), {"trials": [
                trial([8, 4, 4], chain, exact=uses > 2, found=("left", "right"))
            ] * 2})
            for part, head in (("reuse", "4, 1, 2"), ("levels", "8, 2, 1, 2"))
            for uses in (1, 4, 8)
            for depth in (1, 2, 3)
        ),
        (cell("overlap", "[6, 3, 2, 2]", 1), {"trials": [overlapping(apart=True)] * 2}),
        image(**divided()),
        image("hierarchical", **divided()),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def report():
    return report_of(everything())


def test_every_figure_is_drawn(tmp_path, report):
    paths = sculpting_figures.write_figures(everything(), report, tmp_path / "new")
    assert {path.stem for path in paths} == {
        "figures-1-4", "figures-34-36", "figure-7", "figure-8", "figure-10", "figure-12",
        "structures", "two-digits-success", "two-digits-network", "two-digits-hierarchy",
        "hierarchical-success", "hierarchical-network", "hierarchical-hierarchy",
    }  # fmt: skip
    for path in paths:
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size > 5000


def test_only_what_there_are_results_for_is_drawn(tmp_path):
    nothing = report_of([])
    assert all(lines == [] for lines in vars(nothing).values())
    assert sculpting_figures.write_figures([], nothing, tmp_path) == []
    found = separable()
    names = [p.stem for p in sculpting_figures.write_figures(found, report_of(found), tmp_path)]
    assert names == ["figure-7", "structures"]
    only_covers = replace(nothing, figures_2_to_4=sculpting_structure.covers(structure()))
    (path,) = sculpting_figures.write_figures(found[2:], only_covers, tmp_path)
    assert path.stem == "figures-1-4"


def test_parts_of_a_report_do_not_mix(report):
    sizes = {name: len(lines) for name, lines in vars(report).items()}
    assert sizes == {
        "table_1": 12, "figures_2_to_4": 12, "figure_7": 2, "tables_2_3": 0, "table_4": 40,
        "figure_8": 9, "figure_10": 1, "figure_12a": 3, "figure_12b": 9, "image_trials": 2,
        "images": 2,
    }  # fmt: skip
    depths = [line.depth for line in report.figure_12a]
    assert all(a < b for a, b in pairwise(depths))
