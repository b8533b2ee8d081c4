"""A short formula for a truth table: what a module with few inputs computes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nervure.errors import FunctionGraphError
from nervure.modules.minimal_cover import Product, minimal_sum

MOST_INPUTS = 8
Cube = NDArray[np.bool_]


def formula_of(
    table: ArrayLike, names: Sequence[str], *, dont_care: ArrayLike | None = None
) -> str:
    """Write a truth table as a short formula.

    Parameters
    ----------
    table : array_like, shape (2^inputs,)
        0 and 1, in the order of `FunctionGraph.truth_table`: rows count upwards, the first input
        the highest bit.
    names : sequence of str
        Of the inputs, at most 8.
    dont_care : array_like of bool, shape (2^inputs,), optional
        Rows for which any value will do.

    Returns
    -------
    str
        Of names, ``~``, ``&``, ``^``, ``|``, parentheses, 0 and 1: `function_graph` reads it back
        if the names are identifiers.

    Raises
    ------
    FunctionGraphError
        If sizes do not match, or there are too many inputs.

    Notes
    -----
    Of these, the one with the fewest literals: the minimal sum of products, the minimal product of
    sums, and what remains when inputs are split off as long as possible (x & rest, x | rest,
    x ^ rest), which finds AND, OR, XOR and XNOR. A shorter one may exist in none of these forms.

    Examples
    --------
    >>> formula_of([0, 1, 1, 0], ["a", "b"])
    'a ^ b'
    >>> formula_of([0, 0, 0, 0, 0, 1, 1, 0], ["x0", "x1", "x2"])
    'x0 & (x1 ^ x2)'
    """
    names = tuple(names)
    count = len(names)
    if count > MOST_INPUTS:
        raise FunctionGraphError(f"expected at most {MOST_INPUTS} inputs, got {count}")
    if len(set(names)) < count:
        raise FunctionGraphError(f"expected every name once, got {', '.join(names)}")
    values, free = np.asarray(table), np.zeros(2**count, dtype=bool)
    if dont_care is not None:
        free = np.asarray(dont_care, dtype=bool)
    if values.shape != (2**count,) or free.shape != values.shape:
        raise FunctionGraphError(
            f"expected {2**count} rows for {count} inputs, got shape {values.shape}"
            + ("" if dont_care is None else f" and {free.shape} of dont_care")
        )
    if not np.isin(values[~free], (0, 1)).all():
        raise FunctionGraphError("expected a table of 0 and 1 only")
    cube = (2,) * count
    on = np.where(free, False, values == 1)
    partial = _Partial(on.reshape(cube), free.reshape(cube), names)
    return min(partial.candidates(), key=_Formula.rank).text


@dataclass(frozen=True)
class _Formula:
    """Text, its literals, and its outermost operator (none for literals and constants)."""

    text: str
    literals: int
    operator: str = ""

    def rank(self) -> tuple[int, bool, int]:
        # With free rows an AND may be as short as an XOR, and is plainer.
        return self.literals, "^" in self.text, len(self.text)

    def within(self, operator: str) -> str:
        """Give the text as an operand: in parentheses unless it is single or of that operator."""
        return self.text if self.operator in ("", operator) else f"({self.text})"


@dataclass(frozen=True, eq=False)
class _Partial:
    """A function known on some rows: where it is 1 and where it may be anything."""

    on: Cube
    free: Cube
    names: tuple[str, ...]

    def candidates(self) -> list[_Formula]:
        simple = self._constant() or self._literal()
        if simple is not None:
            return [simple]
        return [self._sum, self._product, self._split()]

    def _off(self) -> Cube:
        return ~(self.on | self.free)

    def _constant(self) -> _Formula | None:
        if not self.on.any():
            return _Formula("0", 0)
        return None if self._off().any() else _Formula("1", 0)

    def _literal(self) -> _Formula | None:
        return next(iter(self._parities(1)), None)

    def _parities(self, inputs: int) -> list[_Formula]:
        """Give the XOR or XNOR of so many inputs that agrees with every known row."""
        found = []
        for axes in itertools.combinations(range(self.on.ndim), inputs):
            bits = np.indices(self.on.shape)[list(axes)].sum(axis=0) % 2 == 1
            text = " ^ ".join(self.names[axis] for axis in axes)
            operator = "^" if inputs > 1 else ""
            if not (bits ^ self.on)[~self.free].any():
                found.append(_Formula(text, inputs, operator))
            elif (bits ^ self.on)[~self.free].all():
                found.append(_Formula(f"~({text})" if operator else f"~{text}", inputs))
        return found

    def _split(self) -> _Formula:
        """Split inputs off one by one; what cannot be split is the shorter sum or product."""
        simple = self._constant() or self._literal()
        if simple is not None:
            return simple
        for inputs in range(2, self.on.ndim + 1):
            if parities := self._parities(inputs):
                return parities[0]
        for axis, name in enumerate(self.names):
            low, high = (self._half(axis, side) for side in (0, 1))
            for half, other, literal in ((high, low, name), (low, high, f"~{name}")):
                if not other.on.any():
                    return _join("&", literal, half._split())
                if not other._off().any():
                    return _join("|", f"~{name}" if literal == name else name, half._split())
        for axis, name in enumerate(self.names):
            low, high = (self._half(axis, side) for side in (0, 1))
            if not (low.on & high.on).any() and not (low._off() & high._off()).any():
                # Each half is the negation of the other: what either knows is known of both.
                rest = _Partial(low.on | high._off(), low.free & high.free, low.names)
                return _join("^", name, rest._split())
        return min(self._sum, self._product, key=_Formula.rank)

    def _half(self, axis: int, side: int) -> _Partial:
        rest = self.names[:axis] + self.names[axis + 1 :]
        place = (slice(None),) * axis + (side,)
        return _Partial(self.on[place], self.free[place], rest)

    @cached_property
    def _sum(self) -> _Formula:
        return self._write(minimal_sum(self.on, self.on | self.free), "|", "&", 1)

    @cached_property
    def _product(self) -> _Formula:
        # De Morgan: the negation of a sum for the rows that are 0.
        off = self._off()
        return self._write(minimal_sum(off, off | self.free), "&", "|", 0)

    def _write(self, products: list[Product], outer: str, inner: str, positive: int) -> _Formula:
        terms = []
        # Terms of the first inputs first, and what is not negated before what is.
        order = sorted(products, key=lambda p: [(v is None, v != positive) for v in p])
        for product in order:
            literals = [
                name if value == positive else f"~{name}"
                for name, value in zip(self.names, product, strict=True)
                if value is not None
            ]
            terms.append((len(literals), f" {inner} ".join(literals)))
        terms.sort(key=lambda term: term[0])
        total = sum(count for count, _ in terms)
        if len(terms) == 1:
            return _Formula(terms[0][1], total, inner if total > 1 else "")
        joined = f" {outer} ".join(text if count == 1 else f"({text})" for count, text in terms)
        return _Formula(joined, total, outer)


def _join(operator: str, literal: str, rest: _Formula) -> _Formula:
    text = f"{literal} {operator} {rest.within(operator)}"
    return _Formula(text, rest.literals + 1, operator)
