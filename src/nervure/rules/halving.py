"""How much to prune next: on by the same step while it is borne, by half of it where it is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nervure.errors import EngineError


@dataclass
class HalvingSearch:
    """The search of neural sculpting for the largest share that can be pruned.

    Attributes
    ----------
    step : float
        Share of the units (or edges) of the start pruned at a time; halved after a rejection.
    least : float
        Share of a single one: the search is over when a step no larger is turned down.
    pruned : float
        Largest share accepted so far.
    done : bool
        Whether nothing smaller can be tried.
    recovery : int
        The step doubles again, up to the first one, after so many acceptances in a row; 0, as in
        the paper, for never. Where one early rejection has made the step small, it saves most of
        the trials.

    Notes
    -----
    Paper: neural-sculpting, algorithms 1 and 2; there the last step may be up to twice a single
    one, while the authors' code ends with a single one, as here.

    Examples
    --------
    >>> search = HalvingSearch(step=0.4, least=0.1)
    >>> while not search.done:  # everything up to 0.75 is borne
    ...     search.judge(accepted=search.proposal <= 0.75)
    >>> search.pruned, search.step
    (0.7000000000000001, 0.1)
    """

    step: float
    least: float
    pruned: float = 0.0
    done: bool = False
    recovery: int = 0
    _first: float = field(init=False, repr=False)
    _in_a_row: int = field(init=False, repr=False, default=0)

    def __post_init__(self) -> None:
        if not 0 < self.step <= 1:
            raise EngineError(f"step: expected above 0 and at most 1, got {self.step}")
        if not 0 < self.least <= 1:
            raise EngineError(f"least: expected above 0 and at most 1, got {self.least}")
        if self.recovery < 0:
            raise EngineError(f"recovery: expected at least 0, got {self.recovery}")
        self._first = self.step
        self._shorten()

    @property
    def proposal(self) -> float:
        """Share to prune next."""
        return self.pruned + self.step

    def judge(self, *, accepted: bool) -> None:
        """Go on from the proposal, or try half the step."""
        if accepted:
            self.pruned = self.proposal
            self._in_a_row += 1
            if self._in_a_row == self.recovery:
                self.step = min(2 * self.step, self._first)
                self._in_a_row = 0
        else:
            self._halve()
        self._shorten()

    def state_dict(self) -> dict[str, Any]:
        """Give where the search stands."""
        return {
            "step": self.step,
            "least": self.least,
            "pruned": self.pruned,
            "done": self.done,
            "recovery": self.recovery,
            "first": self._first,
            "in_a_row": self._in_a_row,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave.

        Raises
        ------
        EngineError
            If it is nowhere that a search can stand.
        """
        proposal = state["pruned"] + state["step"]
        shares = 0 < state["step"] <= state["first"] <= 1 and 0 < state["least"] <= 1
        if not shares or state["pruned"] < 0 or not (state["done"] or proposal < 1):
            raise EngineError(
                f"no state of a search: step {state['step']} of {state['first']}, least "
                f"{state['least']}, {state['pruned']} pruned; take one that state_dict gave"
            )
        self.step, self.least, self.pruned = state["step"], state["least"], state["pruned"]
        self.done, self.recovery = state["done"], state["recovery"]
        self._first, self._in_a_row = state["first"], state["in_a_row"]

    def _halve(self) -> None:
        self._in_a_row = 0
        self.done = self.step <= self.least
        self.step = min(self.step, max(self.step / 2, self.least))

    def _shorten(self) -> None:
        # Nothing is left when all is pruned: such a proposal is turned down without a trial.
        while not self.done and self.proposal >= 1:
            self._halve()
