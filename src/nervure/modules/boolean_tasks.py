"""The Boolean tasks of neural-sculpting: function graphs with the modules expected of them.

Names follow the paper's appendix A: inputs, then the number of sub-functions on each level of the
hierarchy, then outputs.

The figures of the paper show the graphs, its text names no gates. The functions of the four
validation graphs are those of the authors' files, written in as many gates as the paper says they
have (section 2.2: three, then two). The gates of `input_overlap` and `hierarchical_levels` are
decided here, such that every sub-function needs all its inputs. Where outputs repeat two functions
they alternate, as in the authors' files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from nervure.errors import FunctionGraphError
from nervure.modules.from_expressions import function_graph
from nervure.modules.function_graph import FunctionGraph
from nervure.modules.subfunctions import SubFunction, hierarchy_graph, sub_functions

NOISE = 0.1
"""Standard deviation of the noise on training inputs (section 1.1, and the authors' code)."""

# Three products of all four inputs: f is the first or the second, g the second or the third.
_PRODUCTS = {
    "a": "x0 & x1 & ~x2 & ~x3",
    "b": "x0 & ~x1 & x2 & ~x3",
    "c": "~x0 & ~x1 & x2 & x3",
}
_Hierarchy = Sequence[Mapping[str, tuple[str, ...]]]


@dataclass(frozen=True)
class BooleanTask:
    """A function graph to learn and what a method should find in a network that has learned it.

    Attributes
    ----------
    name : str
        As in the paper, such as ``[4, 2, 4]``.
    graph : FunctionGraph
    expected_modules : tuple of SubFunction
        From the lowest level of the hierarchy to the highest.
    source : str
        Where the paper has it.
    """

    name: str
    graph: FunctionGraph
    expected_modules: tuple[SubFunction, ...]
    source: str

    @cached_property
    def module_counts(self) -> tuple[int, ...]:
        """Expected modules on each level of the hierarchy."""
        levels = [module.level for module in self.expected_modules]
        return tuple(levels.count(level) for level in range(max(levels) + 1))

    def truth_table(self, dtype: DTypeLike = np.float32) -> tuple[NDArray[Any], NDArray[Any]]:
        """Give all rows of inputs and their outputs; see `FunctionGraph.truth_table`."""
        return self.graph.truth_table(dtype)

    def hierarchy(self) -> nx.DiGraph:
        """Give the graph of the expected modules; see `hierarchy_graph`."""
        return hierarchy_graph(self.graph, self.expected_modules)

    def modules_expected_at(self, levels: int) -> tuple[SubFunction, ...]:
        """Give the modules expected of a network with so many layers, inputs and outputs included.

        With as many as the function graph has, or more: `expected_modules`. With fewer, what lies
        above the lowest modules is one module; where there is but one lowest, all is one.

        Parameters
        ----------
        levels : int
            Hidden layers plus two.

        Returns
        -------
        tuple of SubFunction

        Notes
        -----
        Paper: section 5.2 and figures 16 and 17 (reused: a single module), section 5.4 and figure
        12 (levels: the input-separable modules, and the others merged).
        """
        if levels >= self.graph.depth:
            return self.expected_modules
        lowest = {m.name: m.nodes for m in self.expected_modules if m.level == 0}
        merged = tuple(n for m in self.expected_modules if m.level > 0 for n in m.nodes)
        if len(lowest) == 1:
            ((name, nodes),) = lowest.items()
            return sub_functions(self.graph, [{name: (*nodes, *merged)}])
        return sub_functions(self.graph, [lowest, {"merged": merged}])


def noisy(X: ArrayLike, rng: np.random.Generator, scale: float = NOISE) -> NDArray[np.float32]:
    """Add noise to training inputs; draw anew for every epoch.

    Parameters
    ----------
    X : array_like
    rng : numpy.random.Generator
    scale : float
        Standard deviation.

    Returns
    -------
    ndarray of float32, of the shape of `X`

    Notes
    -----
    Paper: section 1.1 (validation is on rows without noise). The text can be read as a variance of
    0.1; the authors' code has a standard deviation of 0.1, and so has this.
    """
    x = np.asarray(X, dtype=np.float32)
    return x + np.float32(scale) * rng.standard_normal(x.shape, dtype=np.float32)


def input_separable() -> BooleanTask:
    """Give ``[4, 2, 4]``: two sub-functions with inputs of their own, each XOR and XNOR of two.

    Paper: figures 1a and 6, section 2.1; functions of the authors' files.
    """
    expressions, lowest = {}, {}
    for part, (left, right) in enumerate((("x0", "x1"), ("x2", "x3"))):
        first, second = f"a{part}", f"b{part}"
        y, z = f"y{2 * part}", f"y{2 * part + 1}"
        expressions[first] = f"{left} & ~{right}"
        expressions[second] = f"~{left} & {right}"
        expressions[y] = f"{first} | {second}"
        expressions[z] = f"~{first} & ~{second}"
        lowest[f"part{part}"] = (left, right, first, second, y, z)
    return _task("[4, 2, 4]", expressions, (lowest,), "figures 1a and 6a, section 2.1")


def reused(uses: int = 8) -> BooleanTask:
    """Give ``[4, 1, 2, 2 uses]``: three gates that read every input, used by two gates.

    Each of those two is the value of `uses` outputs, one after the other; the paper has 8, and
    1, 2, 4, 6 and 8 to show that reuse helps.

    Paper: figures 2a, 6b and 15, sections 2.2 and 5.2; functions of the authors' files.

    Raises
    ------
    FunctionGraphError
        If `uses` is not positive.
    """
    copies, outputs = _alternating(uses)
    expressions = {**_PRODUCTS, "f": "a | b", "g": "b | c", **copies}
    hierarchy = (
        {"shared": ("x0", "x1", "x2", "x3", *_PRODUCTS)},
        {"first": ("f", *outputs["f"]), "second": ("g", *outputs["g"])},
    )
    return _task(f"[4, 1, 2, {2 * uses}]", expressions, hierarchy, "figures 2a, 6b and 15")


def separable_and_reused() -> BooleanTask:
    """Give ``[6, 3, 3, 3]``: three sub-functions with inputs of their own, each read by two others.

    Paper: figures 6c and 39, section 5.1; functions of the authors' files.
    """
    expressions = {
        "a": "x0 & x1", "b": "x2 & x3", "c": "x4 & x5",
        "y0": "a | b", "y1": "a | c", "y2": "b | c",
    }  # fmt: skip
    hierarchy = (
        {"a": ("x0", "x1", "a"), "b": ("x2", "x3", "b"), "c": ("x4", "x5", "c")},
        {"a_or_b": ("y0",), "a_or_c": ("y1",), "b_or_c": ("y2",)},
    )
    return _task("[6, 3, 3, 3]", expressions, hierarchy, "figures 6c and 39, section 5.1")


def single() -> BooleanTask:
    """Give ``[4, 1, 4]``: every node connected to every other, and so one module.

    Paper: figures 6d and 40, section 5.1; functions of the authors' files.
    """
    expressions = {**_PRODUCTS, **{f"y{i}": "a | b | c" for i in range(4)}}
    graph = function_graph(expressions)
    hierarchy = ({"all": tuple(graph.levels)},)
    return _task("[4, 1, 4]", expressions, hierarchy, "figures 6d and 40, section 5.1")


def input_overlap(overlap: int, uses: int = 8) -> BooleanTask:
    """Give two sub-functions of four inputs each, of which they share `overlap`.

    ``[8, 2, k]`` without overlap; ``[7, 3, 2, k]``, ``[6, 3, 2, k]`` and ``[5, 3, 2, k]`` with
    1, 2 and 3 shared inputs, whose inputs form three modules (of one sub-function, of both, of the
    other); ``[4, 1, 2, 2, k]`` with all, whose inputs are one module. (That is the name of the
    authors' file; there are two levels of modules, not three.) Here k is twice `uses`; the paper
    has 1, 2, 4, 6 and 8.

    Paper: figures 9 and 18 to 26, section 5.3 and appendix D. Gates decided here: the first
    sub-function is 1 if its first input is 1, its last 0 and the two others differ; the second if
    its first is 0, its last 1 and the two others are equal. They are equally hard, and have no gate
    in common even if they share all inputs.

    Raises
    ------
    FunctionGraphError
        If `overlap` is not 0 to 4, or `uses` not positive.
    """
    if not 0 <= overlap <= 4:
        raise FunctionGraphError(f"overlap: expected 0 to 4 inputs, got {overlap}")
    count = 8 - overlap
    _, outputs = _alternating(uses)
    p, q, r, s = (f"x{i}" for i in range(4))
    t, u, v, w = (f"x{i}" for i in range(count - 4, count))
    # Both end in ORs that are themselves the outputs: no level more than a hidden layer has.
    expressions = {
        "a0": f"{p} & {q} & ~{r} & ~{s}", "a1": f"{p} & ~{q} & {r} & ~{s}",
        "b0": f"~{t} & ~{u} & ~{v} & {w}", "b1": f"~{t} & {u} & {v} & {w}",
        **{f"y{i}": "b0 | b1" if i % 2 else "a0 | a1" for i in range(2 * uses)},
    }  # fmt: skip
    first, second = ("a0", "a1", *outputs["f"]), ("b0", "b1", *outputs["g"])
    names = tuple(f"x{i}" for i in range(count))
    own, shared, others = names[: count - 4], names[count - 4 : 4], names[4:]
    hierarchy: _Hierarchy
    if overlap == 0:
        name = f"[8, 2, {2 * uses}]"
        hierarchy = ({"first": (*own, *first), "second": (*others, *second)},)
    elif overlap == 4:
        name = f"[4, 1, 2, 2, {2 * uses}]"
        hierarchy = ({"inputs": shared}, {"first": first, "second": second})
    else:
        name = f"[{count}, 3, 2, {2 * uses}]"
        hierarchy = (
            {"first_inputs": own, "shared_inputs": shared, "second_inputs": others},
            {"first": first, "second": second},
        )
    return _task(name, expressions, hierarchy, "figures 9 and 18 to 26, section 5.3, appendix D")


def hierarchical_levels(uses: int = 8) -> BooleanTask:
    """Give ``[8, 2, 1, 2, 2 uses]``: two sub-functions of the inputs, one of both, two of that one.

    Each of the last two is the value of `uses` outputs; the paper has 1, 2, 4, 6 and 8.

    Paper: figures 11 and 27, section 5.4 and appendix E. Gates decided here: each of the lowest
    sub-functions is in one of three states (its first two inputs are 1 and the others 0; the other
    way round; neither), and the one in the middle says which states the two are in. Each gate reads
    all of its four inputs, so that none of them can be told from the others by what it reaches.

    Raises
    ------
    FunctionGraphError
        If `uses` is not positive.
    """
    copies, outputs = _alternating(uses)
    expressions = {
        "p0": "x0 & x1 & ~x2 & ~x3", "p1": "~x0 & ~x1 & x2 & x3",
        "q0": "x4 & x5 & ~x6 & ~x7", "q1": "~x4 & ~x5 & x6 & x7",
        "any0": "p0 | q0", "any1": "p1 | q1", "both0": "p0 & q0",
        "f": "any0 & ~any1", "g": "any1 | both0", **copies,
    }  # fmt: skip
    hierarchy = (
        {
            "left": ("x0", "x1", "x2", "x3", "p0", "p1"),
            "right": ("x4", "x5", "x6", "x7", "q0", "q1"),
        },
        {"middle": ("any0", "any1", "both0")},
        {"first": ("f", *outputs["f"]), "second": ("g", *outputs["g"])},
    )
    name = f"[8, 2, 1, 2, {2 * uses}]"
    return _task(name, expressions, hierarchy, "figures 11 and 27, section 5.4, appendix E")


_NAMES: dict[str, Callable[[], BooleanTask]] = {
    "input-separable": input_separable,
    "reused": reused,
    "both": separable_and_reused,
    "single": single,
    "levels": hierarchical_levels,
    **{f"overlap-{n}": partial(input_overlap, n) for n in range(5)},
}
_SIZED: dict[tuple[int, ...], Callable[[int], BooleanTask]] = {
    (4, 1, 2): reused,
    (8, 2, 1, 2): hierarchical_levels,
    (8, 2): partial(input_overlap, 0),
    (7, 3, 2): partial(input_overlap, 1),
    (6, 3, 2): partial(input_overlap, 2),
    (5, 3, 2): partial(input_overlap, 3),
    (4, 1, 2, 2): partial(input_overlap, 4),
}
_FIXED = {(4, 2, 4): input_separable, (6, 3, 3, 3): separable_and_reused, (4, 1, 4): single}


def boolean_task(name: str) -> BooleanTask:
    """Give a task of the paper by name.

    Parameters
    ----------
    name : str
        A word (``input-separable``, ``reused``, ``both``, ``single``, ``levels``, ``overlap-0`` to
        ``overlap-4``), or the paper's numbers: ``[4, 2, 4]``, ``[6, 3, 3, 3]``, ``[4, 1, 4]``, and
        ``[4, 1, 2, k]``, ``[8, 2, k]``, ``[7, 3, 2, k]``, ``[6, 3, 2, k]``, ``[5, 3, 2, k]``,
        ``[4, 1, 2, 2, k]``, ``[8, 2, 1, 2, k]`` with an even k.

    Returns
    -------
    BooleanTask

    Raises
    ------
    FunctionGraphError
        For another name.

    Examples
    --------
    >>> task = boolean_task("[8, 2, 1, 2, 16]")
    >>> task.module_counts, task.graph.depth
    ((2, 1, 2), 5)
    """
    key = name.strip().lower().replace("_", "-")
    if key in _NAMES:
        return _NAMES[key]()
    if re.fullmatch(r"\[?[\s\d,]*\]?", key):
        numbers = tuple(int(number) for number in re.findall(r"\d+", key))
        if numbers in _FIXED:
            return _FIXED[numbers]()
        if numbers[:-1] in _SIZED and numbers[-1] > 0 and numbers[-1] % 2 == 0:
            return _SIZED[numbers[:-1]](numbers[-1] // 2)
    sized = [f"[{', '.join(map(str, numbers))}, k]" for numbers in _SIZED]
    fixed = [str(list(numbers)) for numbers in _FIXED]
    known = ", ".join([*_NAMES, *fixed, *sized])
    raise FunctionGraphError(f"no Boolean task named {name!r}; known: {known} with an even k")


def _task(
    name: str, expressions: dict[str, str], hierarchy: _Hierarchy, source: str
) -> BooleanTask:
    graph = function_graph(expressions)
    return BooleanTask(name, graph, sub_functions(graph, hierarchy), source)


def _alternating(uses: int) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Give outputs that are f and g in turn: their expressions, and which belong to which."""
    if uses < 1:
        raise FunctionGraphError(f"uses: expected at least 1, got {uses}")
    copies = {f"y{i}": "g" if i % 2 else "f" for i in range(2 * uses)}
    outputs = {kind: tuple(y for y, of in copies.items() if of == kind) for kind in "fg"}
    return copies, outputs
