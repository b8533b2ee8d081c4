"""`UnitFormula`: what one unit that leaves its module computes, in signs and words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nervure.modules.wording import listed


@dataclass(frozen=True)
class UnitFormula:
    """What a unit computes that is an output or is read by other modules.

    Attributes
    ----------
    name : str
        That of the output; else that of the module, and a number where several of its units leave
        it: "M1", or "M1.1" and "M1.2".
    node : int
        As the topology numbers it.
    of_inputs : str or None
        Formula of the network's inputs, as `formula_of` writes it; None if there are too many or
        the unit has no two sides.
    of_signals : str or None
        Formula of what the module reads (units of other modules by their names, and inputs of its
        own); None if these do not settle it, or say it no shorter than `of_inputs`.
    note : str
        What is to be said of the unit's values; empty where 0 and 1 say all.
    """

    name: str
    node: int
    of_inputs: str | None
    of_signals: str | None
    note: str

    @property
    def shortest(self) -> str | None:
        """The formula of signals, or else that of inputs."""
        return self.of_signals or self.of_inputs

    @property
    def full(self) -> str:
        """All that is known: both formulas, then the note."""
        text = " = ".join(filter(None, (self.of_signals, self.of_inputs)))
        return " ".join(filter(None, (text, self.note and f"({self.note})")))


def formula_lines(
    formulas: Iterable[UnitFormula], *, full: bool = True, shown: int = 4
) -> list[str]:
    """Write formulas as equations, one for all units that compute the same.

    Parameters
    ----------
    formulas : iterable of UnitFormula
    full : bool
        Whether to write all that is known of each; else its shortest formula, with a star where
        there is a note.
    shown : int
        How many units of an equation are named.

    Returns
    -------
    list of str

    Examples
    --------
    >>> shared = {"of_inputs": "x0 & x1", "of_signals": None, "note": ""}
    >>> formula_lines([UnitFormula("y0", 4, **shared), UnitFormula("y2", 6, **shared)])
    ['y0, y2 = x0 & x1']
    """
    names: dict[str, list[str]] = {}
    for formula in formulas:
        short = formula.shortest
        text = formula.full if full else short and short + ("*" if formula.note else "")
        if text:
            # A unit without a formula has only its note, in parentheses.
            sign = "=" if short else ""
            names.setdefault(f"{sign} {text}".strip(), []).append(formula.name)
    return [f"{listed(units, shown)} {text}" for text, units in names.items()]
