"""`function_graph`: from named expressions to a `FunctionGraph`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from nervure.errors import FunctionGraphError
from nervure.modules.expressions import (
    NAME,
    Constant,
    Expression,
    Many,
    Name,
    Not,
    parse_expression,
)
from nervure.modules.function_graph import FunctionGraph, Gate, Kind

_NUMBERED = re.compile(r"x(0|[1-9][0-9]*)")


def function_graph(
    expressions: Mapping[str, str],
    *,
    outputs: Iterable[str] | None = None,
    inputs: int | Iterable[str] | None = None,
) -> FunctionGraph:
    """Describe a Boolean function graph by an expression for each node.

    What an expression joins without parentheses is one gate; what stands in parentheses, or binds
    more tightly, is a gate of its own, named after the node and numbered (``y.1``). ``~`` in front
    of a name or a parenthesis is an edge that negates. ``a ^ b`` becomes ``(a & ~b) | (~a & b)``; 0
    and 1 become an AND and an OR of an input and its negation.

    Parameters
    ----------
    expressions : mapping of str to str
        Node to expression of inputs and other nodes, in any order.
    outputs : iterable of str, optional
        In order; by default the nodes that no other reads, in the order given.
    inputs : int or iterable of str, optional
        The names in order; a number stands for x0, x1, ... By default x0 to the highest that is
        read.

    Returns
    -------
    FunctionGraph

    Raises
    ------
    FunctionGraphError
        For an expression that cannot be read (with the position), an unknown name, or a cycle.

    Notes
    -----
    Paper: neural-sculpting, section 1.1. XOR, 0 and 1 are conveniences, not gates.

    Examples
    --------
    >>> graph = function_graph({"a": "x0 & ~x1", "y0": "a | x2", "y1": "~a"})
    >>> graph
    FunctionGraph(3 inputs, 3 gates, 5 edges, 2 outputs, depth 3)
    >>> graph.dependencies()
    {'y0': ('x0', 'x1', 'x2'), 'y1': ('x0', 'x1')}
    """
    for name in expressions:
        if not NAME.fullmatch(name):
            raise FunctionGraphError(f"expected nodes named by identifiers, got {name!r}")
    parsed = {name: _parse(name, text) for name, text in expressions.items()}
    read = {name: set(_names(expression)) for name, expression in parsed.items()}
    every = set().union(*read.values())
    known = _input_names(inputs, every - set(parsed))
    for name, names in read.items():
        unknown = sorted(names - set(known) - set(parsed))
        if unknown:
            raise FunctionGraphError(
                f"{name}: {', '.join(unknown)} is neither an input ({', '.join(known) or 'none'}) "
                f"nor a node ({', '.join(parsed)})"
            )
    if outputs is None:
        outputs = [name for name in parsed if name not in every]
        if not outputs:
            raise FunctionGraphError(
                "every node is read by another: name the outputs, break cycles"
            )
    builder = _Builder({*known, *parsed}, known)
    for name, expression in parsed.items():
        builder.add(name, expression, taken=name)
    return FunctionGraph(known, tuple(builder.gates), tuple(outputs))


def _parse(name: str, text: str) -> Expression:
    try:
        return parse_expression(text)
    except FunctionGraphError as error:
        raise FunctionGraphError(f"{name}: {error}") from error


def _names(expression: Expression) -> Iterable[str]:
    match expression:
        case Name(name):
            yield name
        case Not(operand):
            yield from _names(operand)
        case Many(_, operands):
            for operand in operands:
                yield from _names(operand)


def _input_names(inputs: int | Iterable[str] | None, undefined: set[str]) -> tuple[str, ...]:
    if inputs is None:
        numbers = [int(found[1]) for name in undefined if (found := _NUMBERED.fullmatch(name))]
        inputs = 1 + max(numbers, default=-1)
    if isinstance(inputs, int):
        return tuple(f"x{i}" for i in range(inputs))
    return tuple(inputs)


class _Builder:
    """Collects gates; every operand of a gate becomes a source, ``name`` or ``~name``."""

    def __init__(self, taken: set[str], inputs: tuple[str, ...]) -> None:
        self.gates: list[Gate] = []
        self.taken = taken
        self.inputs = inputs

    def add(self, name: str, expression: Expression, *, taken: str, negated: bool = False) -> None:
        """Add the gate `name` for the expression; helpers are numbered after `taken`."""
        match expression:
            case Not(operand):
                self.add(name, operand, taken=taken, negated=not negated)
            case Name(source):
                self.gates.append(Gate(name, "ID", (_edge(source, negated),)))
            case Constant(value):
                self._constant(name, value != negated, taken)
            case Many("^", operands):
                self._exclusive(name, operands, taken, negated)
            case Many(operator, operands):
                # De Morgan: a negated AND is an OR of negated edges.
                kind: Kind = "AND" if (operator == "&") != negated else "OR"
                sources = [self._source(operand, taken, negated) for operand in operands]
                self._join(name, kind, sources, taken)

    def _source(self, expression: Expression, taken: str, negated: bool = False) -> str:
        while isinstance(expression, Not):
            expression, negated = expression.operand, not negated
        if isinstance(expression, Name):
            return _edge(expression.name, negated)
        helper = self._helper(taken)
        self.add(helper, expression, taken=taken)
        return _edge(helper, negated)

    def _join(self, name: str, kind: Kind, sources: list[str], taken: str) -> None:
        distinct = list(dict.fromkeys(sources))
        for i, source in enumerate(distinct):
            if source.startswith("~") and source[1:] in distinct:
                # Both signs of one source: a gate has at most one edge from each.
                helper = self._helper(taken)
                self.gates.append(Gate(helper, "ID", (source,)))
                distinct[i] = helper
        kind = kind if len(distinct) > 1 else "ID"
        self.gates.append(Gate(name, kind, tuple(distinct)))

    def _exclusive(
        self, name: str, operands: tuple[Expression, ...], taken: str, negated: bool
    ) -> None:
        left = self._source(operands[0], taken, negated)
        for i, operand in enumerate(operands[1:], start=2):
            right = self._source(operand, taken)
            sides = []
            for pair in ([left, _edge(right, True)], [_edge(left, True), right]):
                sides.append(self._helper(taken))
                self._join(sides[-1], "AND", pair, taken)
            left = name if i == len(operands) else self._helper(taken)
            self.gates.append(Gate(left, "OR", tuple(sides)))

    def _constant(self, name: str, value: bool, taken: str) -> None:
        if not self.inputs:
            raise FunctionGraphError(f"{taken}: a constant needs an input to be made from")
        first = self.inputs[0]
        self._join(name, "OR" if value else "AND", [first, _edge(first, True)], taken)

    def _helper(self, taken: str) -> str:
        number = 1
        while f"{taken}.{number}" in self.taken:
            number += 1
        self.taken.add(f"{taken}.{number}")
        return f"{taken}.{number}"


def _edge(source: str, negated: bool) -> str:
    """Add a negation to an edge, or take it off."""
    if not negated:
        return source
    return source[1:] if source.startswith("~") else f"~{source}"
