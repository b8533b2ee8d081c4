"""`Checkpoint`: what a training goes on from after it was stopped or killed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from nervure.training.state_file import load_state, save_state


class Stateful(Protocol):
    """Whatever can say where it stands, and go on from there."""

    def state_dict(self) -> dict[str, Any]:
        """Give what is needed to go on."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        ...


class Checkpoint:
    """A file that keeps where a training and what belongs to it stand.

    Parameters
    ----------
    path : path
        Written whole or not at all: a kill leaves the last good one.
    parts : mapping, optional
        By names, what belongs to the training and changes with it.
    share : float
        Most of the time that may go into writing; a checkpoint that is not due is skipped until
        enough has passed.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_iris
    >>> from nervure.baselines import PlainNetwork
    >>> from nervure.training import Training, TrainingOptions
    >>> def begun():
    ...     network = PlainNetwork(4, 3, nodes=5, seed=0)
    ...     x, y = load_iris(return_X_y=True)
    ...     return Training(
    ...         network, x, y, task="classification", options=TrainingOptions(epochs=4)
    ...     )
    >>> path = Path(tempfile.mkdtemp()) / "state.safetensors"
    >>> first = begun()
    >>> losses = [first.epoch()["train_loss"] for _ in range(2)]
    >>> Checkpoint(path, {"training": first}).save()
    >>> losses.append(first.epoch()["train_loss"])
    >>> second = begun()  # in another process, say
    >>> Checkpoint(path, {"training": second}).restore()
    True
    >>> second.epoch()["train_loss"] == losses[2]
    True
    """

    def __init__(
        self, path: str | Path, parts: Mapping[str, Stateful] | None = None, *, share: float = 0.05
    ) -> None:
        self.path = Path(path)
        self._share = share
        self._parts = dict(parts or {})
        self._cost = 0.0
        self._saved = float("-inf")

    def join(self, name: str, part: Stateful) -> None:
        """Let something else be kept under a name of its own."""
        self._parts[name] = part

    def peek(self, name: str) -> dict[str, Any] | None:
        """Give what the file has of a part, where what is to go on depends on it; None if nothing.

        Raises
        ------
        RunError
            If it cannot be read.
        """
        return load_state(self.path).get(name) if self.path.exists() else None

    def restore(self) -> bool:
        """Go on from the file, if it is there; whether it was.

        Raises
        ------
        RunError
            If it cannot be read.
        NervureError
            If it does not fit what is to go on.
        """
        if not self.path.exists():
            return False
        state = load_state(self.path)
        for name, part in self._parts.items():
            part.load_state_dict(state.get(name, {}))
        return True

    def save(self, *, due: bool = True) -> None:
        """Write where everything stands.

        Parameters
        ----------
        due : bool
            Whether it must be; otherwise it is skipped where writing would take too large a share
            of the time.

        Raises
        ------
        RunError
            If it cannot be written; the last one is unchanged.
        """
        begin = time.perf_counter()
        if not due and (begin - self._saved) * self._share < self._cost:
            return
        save_state(self.path, {name: part.state_dict() for name, part in self._parts.items()})
        self._saved = time.perf_counter()
        self._cost = self._saved - begin
