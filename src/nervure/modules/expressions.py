"""Read Boolean expressions: names, ``~``, ``&``, ``^``, ``|``, parentheses, 0 and 1.

The operators bind as in Python, ``~`` most and ``|`` least.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NoReturn

from nervure.errors import FunctionGraphError

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_TOKEN = re.compile(rf"\s*(?:({NAME.pattern})|([01])(?![A-Za-z0-9_.])|([&|^~()]))")


@dataclass(frozen=True)
class Name:
    """An input or another node."""

    name: str


@dataclass(frozen=True)
class Constant:
    """0 or 1."""

    value: bool


@dataclass(frozen=True)
class Not:
    """The negation of an expression."""

    operand: Expression


@dataclass(frozen=True)
class Many:
    """Two or more operands joined by one operator, as written without parentheses."""

    operator: Literal["&", "^", "|"]
    operands: tuple[Expression, ...]


Expression = Name | Constant | Not | Many


def parse_expression(text: str) -> Expression:
    """Read an expression.

    Parameters
    ----------
    text : str
        Such as ``"x0 & ~(x1 | x2)"``.

    Returns
    -------
    Name, Constant, Not or Many

    Raises
    ------
    FunctionGraphError
        If it cannot be read; with the position, counted from 1.

    Examples
    --------
    >>> parse_expression("a & b & c").operator
    '&'
    """
    reader = _Reader(text)
    try:
        expression = reader.joined("|")
    except RecursionError as error:
        raise FunctionGraphError("expected fewer parentheses within each other") from error
    if reader.token is not None:
        reader.fail("an operator (&, |, ^) or the end")
    return expression


class _Reader:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.token: str | None = None
        self.start = 0
        self.advance()

    def advance(self) -> None:
        found = _TOKEN.match(self.text, self.position)
        if found is None:
            rest = self.text[self.position :]
            self.start = len(self.text) - len(rest.lstrip())
            self.token = None
            if rest.strip():
                self.token = self.text[self.start]
                self.fail("a name, 0, 1 or one of & | ^ ~ ( )")
            return
        self.token = found[found.lastindex or 0]
        self.start = found.end() - len(self.token)
        self.position = found.end()

    def fail(self, expected: str) -> NoReturn:
        got = "the end" if self.token is None else repr(self.token)
        raise FunctionGraphError(
            f"expected {expected} at position {self.start + 1} of {self.text!r}, got {got}"
        )

    def joined(self, operator: Literal["&", "^", "|"]) -> Expression:
        operands = [self.tighter(operator)]
        while self.token == operator:
            self.advance()
            operands.append(self.tighter(operator))
        return operands[0] if len(operands) == 1 else Many(operator, tuple(operands))

    def tighter(self, operator: Literal["&", "^", "|"]) -> Expression:
        if operator == "|":
            return self.joined("^")
        if operator == "^":
            return self.joined("&")
        return self.single()

    def single(self) -> Expression:
        token = self.token
        if token == "~":
            self.advance()
            return Not(self.single())
        if token == "(":
            self.advance()
            inner = self.joined("|")
            if self.token != ")":
                self.fail("')' or an operator (&, |, ^)")
            self.advance()
            return inner
        if token is None or token in "&|^)":
            self.fail("a name, 0, 1, '~' or '('")
        self.advance()
        return Constant(token == "1") if token in "01" else Name(token)
