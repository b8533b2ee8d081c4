"""Choosing the motif size while training: all sizes begin, the worst drops out, one goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nervure.errors import EngineError
from nervure.training.epoch_watch import Metrics
from nervure.training.loop import Training
from nervure.training.score import comprehensive_score

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


def race_motif_sizes(
    candidates: Mapping[int, Training],
    *,
    epochs_per_round: int = 2,
    weight: float = 0.1,
    on_epoch: Callable[[int, Metrics], None] | None = None,
) -> Race:
    """Train networks of several motif sizes side by side until the best is known.

    In every round each candidate that is left trains for `epochs_per_round` epochs, in turns, so
    that a slow minute of the machine meets all alike. Then time per epoch and accuracy on validation
    data give its comprehensive score, and the one with the lowest drops out. What the winner has
    learned is kept: it goes on from there.

    Parameters
    ----------
    candidates : mapping of int to Training
        By motif size; with validation data, and on the same data.
    epochs_per_round : int
    weight : float
        Of time in the score.
    on_epoch : callable, optional
        Given motif size and metrics of each epoch as it ends.

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
            for size, training in left.items():
                metrics = training.epoch()
                if on_epoch is not None:
                    on_epoch(size, metrics)
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
