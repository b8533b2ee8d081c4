"""`fit`: a training from its first epoch to its last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray
from torch import nn

from nervure.rules import Rewiring
from nervure.training.epoch_watch import Metrics
from nervure.training.loop import Augment, Fitted, Loss, RuleMaker, Training
from nervure.training.options import Task, TrainingOptions
from nervure.training.rows import Rows


def fit(
    network: nn.Module,
    x: Rows,
    y: NDArray[Any],
    *,
    task: Task,
    options: TrainingOptions,
    rule: RuleMaker | None = None,
    validation: tuple[Rows, NDArray[Any]] | None = None,
    augment: Augment | None = None,
    loss: Loss | None = None,
    on_epoch: Callable[[Metrics], None] | None = None,
    on_rewiring: Callable[[int, int, Rewiring, float], None] | None = None,
    until: Callable[[Metrics], bool] | None = None,
) -> Fitted:
    """Train a network, rewiring it after every step if there is a rule.

    Parameters
    ----------
    network : torch.nn.Module
        Trained in place.
    x : ndarray or sparse matrix, shape (rows, features), or ndarray, shape (rows, ...)
        Sparse rows are made dense batch by batch.
    y : ndarray, shape (rows,), or (rows, bits)
        Class indices (int64), targets (float32), or bits, 0 or 1.
    task : {"classification", "regression", "bits"}
        Cross-entropy, mean squared error, or cross-entropy of each bit.
    options : TrainingOptions
    rule : callable, optional
        Makes the rule: (network, optimizer) -> Rule.
    validation : (x, y), optional
        Measured after each epoch; also chooses the epoch to keep (`options.keep_best`).
    augment : callable, optional
        Changes each batch before it is learned, such as `FlipAndCrop`: (rows, generator) -> rows.
    loss : callable, optional
        What a step makes smaller, instead of the task's: (network, rows, targets) -> Tensor. Of a
        network that learns by losses inside of it, say.
    on_epoch : callable, optional
        Given the metrics of each epoch as it ends.
    on_rewiring : callable, optional
        Given (step, epoch, rewiring, threshold) after each step that changed an edge.
    until : callable, optional
        Given the metrics of each epoch as it ends; training ends early where it says so.

    Returns
    -------
    Fitted

    Raises
    ------
    ConvergenceError
        If an equilibrium is not found and the network's layers say "raise".
    EngineError
        If the loss is no longer finite.

    See Also
    --------
    Training : The same an epoch at a time.
    """
    training = Training(
        network,
        x,
        y,
        task=task,
        options=options,
        rule=rule,
        validation=validation,
        augment=augment,
        loss=loss,
        on_epoch=on_epoch,
        on_rewiring=on_rewiring,
    )
    try:
        while not training.done:
            metrics = training.epoch()
            if until is not None and until(metrics):
                break
    except KeyboardInterrupt:
        if not training.fitted.history:
            raise
        training.fitted.interrupted = True
    return training.finish()
