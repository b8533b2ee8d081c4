"""Choosing the motif size while training: all sizes begin, the worst drops out, one goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from numpy.typing import NDArray

from nervure.errors import EngineError
from nervure.networks import SparseMLP
from nervure.rules import Rewiring
from nervure.training.checkpoint import Checkpoint
from nervure.training.epoch_watch import Metrics
from nervure.training.fit import carry_on
from nervure.training.loop import Fitted, Training
from nervure.training.options import Task, TrainingOptions
from nervure.training.rows import Rows
from nervure.training.score import comprehensive_score
from nervure.training.sparse_rules import SparseOptions

Listeners = tuple[
    Callable[[Metrics], None] | None, Callable[[int, int, Rewiring, float], None] | None
]
MOTIF_SIZES = (1, 2, 4)
# A merit below is as bad as none; scores divide by it.
_LEAST_MERIT = 1e-3


@dataclass(frozen=True)
class Trial:
    """How a motif size did in one round of a race.

    Attributes
    ----------
    round : int
        Counted from 1.
    motif_size : int
    epochs : int
        Trained so far.
    seconds : float
        Of training per epoch, the least so far: what else a machine does only adds to it.
    merit : float
        Validation accuracy; for regression 1 - RMSE, of standardised targets.
    score : float
        The comprehensive score, relative to the smallest size.
    goes_on : bool
        Whether it was kept after the round.
    """

    round: int
    motif_size: int
    epochs: int
    seconds: float
    merit: float
    score: float
    goes_on: bool


@dataclass(frozen=True)
class Race:
    """Which motif size won, and how.

    Attributes
    ----------
    motif_size : int
    trials : tuple of Trial
    """

    motif_size: int
    trials: tuple[Trial, ...]


class _Kept:
    """A race as a part of a checkpoint: one that is run again may end otherwise."""

    def __init__(self, race: Race) -> None:
        self._race = race

    def state_dict(self) -> dict[str, Any]:
        return asdict(self._race)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing is left to do: the race is read before anything else is made."""

    @staticmethod
    def race(state: Mapping[str, Any]) -> Race:
        return Race(state["motif_size"], tuple(Trial(**trial) for trial in state["trials"]))


def race_motif_sizes(
    candidates: Mapping[int, Training], *, epochs_per_round: int = 2, weight: float = 0.1
) -> Race:
    """Train networks of several motif sizes side by side until the best is known.

    In every round each candidate that is left trains for `epochs_per_round` epochs, in turns, so
    that a slow minute of the machine meets all alike. Then time per epoch and validation accuracy
    give its comprehensive score, and the one with the lowest drops out. What the winner has learned
    is kept: it goes on from there.

    Parameters
    ----------
    candidates : mapping of int to Training
        By motif size; with validation data, and on the same data.
    epochs_per_round : int
    weight : float
        Of time in the score.

    Returns
    -------
    Race
        The winner's training is not finished; the others' are.

    Raises
    ------
    EngineError
        If there is no validation data, or the epochs do not suffice for all rounds.

    Notes
    -----
    With n candidates the winner is known after (n - 1) `epochs_per_round` of its epochs, and the
    others have cost (n - 1) n / 2 times `epochs_per_round` epochs beside.

    Paper: motif-set, section 8, which names a choice in training as future work; the procedure is
    ours.
    """
    if not candidates:
        raise EngineError("motif sizes: expected at least one to choose among")
    if epochs_per_round < 1:
        raise EngineError(f"epochs_per_round: expected at least 1, got {epochs_per_round}")
    needed = (len(candidates) - 1) * epochs_per_round
    epochs = min(training.options.epochs for training in candidates.values())
    if epochs < needed:
        raise EngineError(
            f"{len(candidates)} motif sizes need {needed} epochs to choose among, got {epochs}: "
            "train longer, or give fewer sizes"
        )
    left = dict(sorted(candidates.items()))
    base = next(iter(left))
    base_measured = (1.0, 1.0)
    trials: list[Trial] = []
    while len(left) > 1:
        number = trials[-1].round + 1 if trials else 1
        for _ in range(epochs_per_round):
            for training in left.values():
                training.epoch()
        measured = {size: _measured(training) for size, training in left.items()}
        # Once the smallest is out, its last figures remain the measure.
        base_measured = measured.get(base, base_measured)
        scores = {
            size: comprehensive_score(*figures, *base_measured, weight=weight)
            for size, figures in measured.items()
        }
        worst = min(scores, key=lambda size: scores[size])
        trials += [
            Trial(number, size, len(left[size].fitted.history), *measured[size], scores[size],
                  size != worst)
            for size in left
        ]  # fmt: skip
        left.pop(worst).finish()
    return Race(next(iter(left)), tuple(trials))


def _measured(training: Training) -> tuple[float, float]:
    """Seconds per epoch and merit."""
    history = training.fitted.history
    last = history[-1]
    error = last.get("validation_error", last.get("validation_rmse"))
    if error is None:
        raise EngineError(
            "choosing a motif size needs validation data: hold some out (validation_fraction)"
        )
    return min(metrics["train_seconds"] for metrics in history), max(_LEAST_MERIT, 1 - error)


def fit_motif_race(
    sparse: SparseOptions,
    x: Rows,
    y: NDArray[Any],
    *,
    outputs: int,
    task: Task,
    options: TrainingOptions,
    validation: tuple[Rows, NDArray[Any]],
    sizes: Sequence[int] = MOTIF_SIZES,
    epochs_per_round: int = 2,
    weight: float = 0.1,
    listen: Callable[[int, SparseMLP], Listeners] | None = None,
    on_chosen: Callable[[int], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> tuple[SparseMLP, Fitted, Race]:
    """Train a sparse network whose motif size is chosen on the way.

    Parameters
    ----------
    sparse : SparseOptions
        All but the motif size.
    x, y, task, options, validation
        As for `fit`.
    outputs : int
        Classes, or 1.
    sizes : sequence of int
        To choose among; those that do not divide every hidden layer are left out.
    epochs_per_round, weight
        As for `race_motif_sizes`.
    listen : callable, optional
        Given a motif size and its network before training, its `on_epoch` and `on_rewiring`.
    on_chosen : callable, optional
        Given the motif size when it is known.
    checkpoint : Checkpoint, optional
        To go on from: before the size is known everything begins anew, and times may then speak
        for another; from there on, the winner goes on where it was.

    Returns
    -------
    network : SparseMLP
        The winner, trained for `options.epochs` in all.
    fitted : Fitted
    race : Race

    Raises
    ------
    EngineError
        If no size fits, or the epochs do not suffice.
    """
    fitting = [m for m in sorted(set(sizes)) if m >= 1 and not any(n % m for n in sparse.hidden)]
    if not fitting:
        raise EngineError(
            f"motif sizes {', '.join(map(str, sizes))}: none divides every hidden layer "
            f"({', '.join(map(str, sparse.hidden))})"
        )
    networks: dict[int, SparseMLP] = {}

    def begun(size: int) -> Training:
        own = replace(sparse, motif_size=size)
        networks[size] = own.make_network(x.shape[1], outputs, seed=options.seed)
        on_epoch, on_rewiring = (None, None) if listen is None else listen(size, networks[size])
        return Training(
            networks[size],
            x,
            y,
            task=task,
            options=options,
            rule=own.make_rule(options, len(y)),
            validation=validation,
            on_epoch=on_epoch,
            on_rewiring=on_rewiring,
        )

    known = None if checkpoint is None else checkpoint.peek("race")
    if known is None:
        candidates = {size: begun(size) for size in fitting}
        race = race_motif_sizes(candidates, epochs_per_round=epochs_per_round, weight=weight)
        winner = candidates[race.motif_size]
    else:
        race = _Kept.race(known)
        winner = begun(race.motif_size)
    if on_chosen is not None:
        on_chosen(race.motif_size)
    if checkpoint is not None:
        checkpoint.join("race", _Kept(race))
    return networks[race.motif_size], carry_on(winner, checkpoint), race
