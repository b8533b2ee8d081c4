"""Modules against the sub-functions of every task of the paper, on hierarchies made by hand."""

import itertools
from dataclasses import replace

import pytest

from nervure.modules import Hierarchy, Module, agreement, boolean_task, detect_modules

from .sculpted import reused, separable, separable_and_reused, single


def module(name, *, inputs=(), outputs=(), needs=None, feeds=()):
    """Make a module of what agreement looks at; it depends on its own inputs if not on others."""
    needs = inputs if needs is None else needs
    return Module(
        name, (), (), tuple(inputs), tuple(outputs), tuple(needs), {}, dict.fromkeys(feeds, 1), 0
    )


def hierarchy(*modules):
    """Put modules together; what one feeds must be there."""
    names = {m.name for m in modules}
    there = [replace(m, feeds={f: 1 for f in m.feeds if f in names}) for m in modules]
    return Hierarchy(tuple(there), (), (), ())


EVEN, ODD = (0, 2), (1, 3)  # outputs of two functions that are used twice each


def handmade(task, layers):
    """What the paper's figures 14 to 27 show of a network with so many layers."""
    if task == "[4, 2, 4]":
        return [
            module("A", inputs=(0, 1), outputs=(0, 1)),
            module("B", inputs=(2, 3), outputs=(2, 3)),
        ]
    if task == "[4, 1, 4]":
        return [module("A", inputs=range(4), outputs=range(4))]
    if task == "[6, 3, 3, 3]":
        return [
            module("A", inputs=(0, 1), feeds="DE"),
            module("B", inputs=(2, 3), feeds="DF"),
            module("C", inputs=(4, 5), feeds="EF"),
            module("D", outputs=(0,), needs=range(4)),
            module("E", outputs=(1,), needs=(0, 1, 4, 5)),
            module("F", outputs=(2,), needs=range(2, 6)),
        ]
    if task == "[4, 1, 2, 4]":
        if layers < 4:
            return [module("A", inputs=range(4), outputs=range(4))]
        return [module("A", inputs=range(4), feeds="BC"), *two_functions("BC", range(4), range(4))]
    if task == "[8, 2, 4]":
        return [
            module("A", inputs=range(4), outputs=EVEN),
            module("B", inputs=range(4, 8), outputs=ODD),
        ]
    if task in ("[7, 3, 2, 4]", "[6, 3, 2, 4]", "[5, 3, 2, 4]"):
        count = int(task[1])
        return [
            module("A", inputs=range(count - 4), feeds="D"),
            module("B", inputs=range(count - 4, 4), feeds="DE"),
            module("C", inputs=range(4, count), feeds="E"),
            *two_functions("DE", range(4), range(count - 4, count)),
        ]
    if task == "[4, 1, 2, 2, 4]":
        return [module("A", inputs=range(4), feeds="BC"), *two_functions("BC", range(4), range(4))]
    lowest = [module("A", inputs=range(4), feeds="C"), module("B", inputs=range(4, 8), feeds="C")]
    if layers < 5:
        return [*lowest, module("C", outputs=range(4), needs=range(8))]
    middle = module("C", needs=range(8), feeds="DE")
    return [*lowest, middle, *two_functions("DE", range(8), range(8))]


def two_functions(names, first, second):
    return [
        module(names[0], outputs=EVEN, needs=first),
        module(names[1], outputs=ODD, needs=second),
    ]


TASKS = (
    "[4, 2, 4]", "[4, 1, 2, 4]", "[6, 3, 3, 3]", "[4, 1, 4]", "[8, 2, 4]", "[7, 3, 2, 4]",
    "[6, 3, 2, 4]", "[5, 3, 2, 4]", "[4, 1, 2, 2, 4]", "[8, 2, 1, 2, 4]",
)  # fmt: skip
CASES = [(task, layers) for task in TASKS for layers in (3, 4, 5, 6)]


def expected(task, layers):
    return boolean_task(task).modules_expected_at(layers)


@pytest.mark.parametrize(("task", "layers"), CASES)
def test_what_the_figures_show_is_exact_in_any_order(task, layers):
    parts = expected(task, layers)
    modules = handmade(task, layers)
    assert len(parts) == len(modules)
    for order in itertools.islice(itertools.permutations(modules), 0, 30, 7):
        seen = agreement(hierarchy(*order), parts)
        assert seen.exact
        assert seen.all_found
        assert sorted(seen.found.values()) == sorted(m.name for m in modules)


@pytest.mark.parametrize(("task", "layers"), CASES)
def test_a_module_less_or_more_is_seen(task, layers):
    modules, parts = handmade(task, layers), expected(task, layers)
    for gone in modules:
        seen = agreement(hierarchy(*(m for m in modules if m is not gone)), parts)
        assert not seen.all_found
        assert not seen.exact
        # Those that led to outputs through the missing module may be lost with it.
        assert gone.name not in seen.found.values()
    stranger = module("Z", needs=(0,))
    seen = agreement(hierarchy(*modules, stranger), parts)
    assert (seen.all_found, seen.exact, seen.extra) == (True, False, ("Z",))


@pytest.mark.parametrize(("task", "layers"), CASES)
def test_modules_with_each_other_s_inputs_or_outputs_are_not_the_sub_functions(task, layers):
    modules, parts = handmade(task, layers), expected(task, layers)
    for what in ("inputs", "outputs"):
        places = [i for i, m in enumerate(modules) if getattr(m, what)]
        for i, j in itertools.combinations(places, 2):
            one, other = list(getattr(modules[i], what)), list(getattr(modules[j], what))
            swapped = {i: (*other[:1], *one[1:]), j: (*one[:1], *other[1:])}
            changed = [replace(m, **{what: swapped.get(k, getattr(m, what))})
                       for k, m in enumerate(modules)]  # fmt: skip
            found = agreement(hierarchy(*changed), parts).found
            if (len(one), len(other)) == (1, 1):
                # Whole sets were swapped: only the names of the two change.
                continue
            assert modules[i].name not in found.values()
            assert modules[j].name not in found.values()


def test_the_middle_is_known_by_what_it_depends_on_and_leads_to():
    task, layers = "[8, 2, 1, 2, 4]", 5
    left, right, _, first, second = handmade(task, layers)
    for middle in (
        module("C", needs=range(4), feeds="DE"),  # of one half only
        module("C", needs=range(8), feeds="D"),  # for one of the outputs only
        module("C", inputs=(0,), needs=range(8), feeds="DE"),  # an input of its own
        module("C", outputs=(0,), needs=range(8), feeds="DE"),  # an output of its own
    ):
        seen = agreement(hierarchy(left, right, middle, first, second), expected(task, layers))
        assert seen.found["middle"] is None
        assert seen.extra == ("C",)
    # Two in a row: both depend on all and lead to all; one of them is left over.
    chain = (module("C", needs=range(8), feeds="X"), module("X", needs=range(8), feeds="DE"))
    seen = agreement(hierarchy(left, right, *chain, first, second), expected(task, layers))
    assert (seen.all_found, seen.exact, len(seen.extra)) == (True, False, 1)


def test_depth_decides_what_is_asked_for():
    merged = hierarchy(*handmade("[8, 2, 1, 2, 4]", 4))
    assert agreement(merged, expected("[8, 2, 1, 2, 4]", 4)).exact
    deep = agreement(merged, expected("[8, 2, 1, 2, 4]", 5))
    assert {name for name, found in deep.found.items() if found} == {"left", "right"}
    assert deep.extra == ("C",)


@pytest.mark.parametrize(
    ("wiring", "task", "layers"),
    [
        (separable(), "[4, 2, 4]", 4),
        (reused(), "[4, 1, 2, 16]", 4),
        (separable_and_reused(2), "[6, 3, 3, 3]", 4),
        (single(), "[4, 1, 4]", 4),
    ],
)
def test_wirings_show_their_own_task_and_no_other(wiring, task, layers):
    found = Hierarchy.from_detection(detect_modules(wiring))
    assert agreement(found, expected(task, layers)).exact
    for other in ("[4, 2, 4]", "[4, 1, 2, 16]", "[6, 3, 3, 3]", "[4, 1, 4]"):
        if other != task:
            assert not agreement(found, expected(other, layers)).all_found
