"""What a sweep is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from nervure.errors import SettingsError
from nervure.jobs.request import ELSEWHERE, TrainRequest
from nervure.jobs.sweep.space import Range
from nervure.jobs.train import TrainResult
from nervure.training import json_values

Engine = Literal["processes", "ray"]


@dataclass(frozen=True, kw_only=True)
class SweepRequest:
    """A search of the settings of a method.

    Attributes
    ----------
    method : str
        Its name, which the folder begins with.
    train : callable
        The job, such as `train_freenet`: (request, listener) -> TrainResult. Importable by name,
        since other processes call it.
    request : TrainRequest
        What all trials have in common; its seed is that of the search too. They are trained without
        the plain network.
    space : mapping of str to Range
        By names of the request's attributes.
    trials : int
        How many in all, with those of an earlier go.
    jobs : int
        At a time.
    prune : bool
        Whether trials end early whose validation error is above the median of the others'.
    engine : {"processes", "ray"}
        On this machine, or on a Ray cluster whose machines all see the folder.
    out : Path, optional
        ``runs/sweep-<method>-<data>`` if None.
    force : bool
        Whether a sweep that is there may be replaced.
    """

    method: str
    train: Callable[..., TrainResult]
    request: TrainRequest
    space: Mapping[str, Range]
    trials: int = 20
    jobs: int = 1
    prune: bool = True
    engine: Engine = "processes"
    out: Path | None = None
    force: bool = False

    def __post_init__(self) -> None:
        if not self.space:
            raise SettingsError("nothing to search: give at least one setting and where it may be")
        if self.trials < 1 or self.jobs < 1:
            raise SettingsError(
                f"expected at least one trial and one job, got {self.trials} and {self.jobs}"
            )

    @property
    def folder(self) -> Path:
        """Where the sweep is."""
        # A path has an ending, a dataset none.
        name = Path(self.request.data).name.split(".")[0]
        return self.out or Path("runs") / f"sweep-{self.method}-{name}"

    def asked(self) -> dict[str, Any]:
        """Say what the sweep is, as its folder keeps it: another one is not gone on with."""
        arguments = {
            k: v
            for k, v in asdict(self.request).items()
            if k not in ELSEWHERE and k not in self.space
        }
        if Path(self.request.data).is_file():
            arguments["data"] = str(Path(self.request.data).absolute())
        known: dict[str, Any] = {
            "method": self.method,
            "arguments": arguments,
            "space": {name: where.to_json() for name, where in self.space.items()},
        }
        # As it comes back from the folder.
        plain: dict[str, Any] = json_values.loads(json_values.dumps(known))
        return plain
