"""`fit`: a training from its first epoch to its last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray
from torch import nn

from nervure.rules import Rewiring
from nervure.training.checkpoint import Checkpoint
from nervure.training.epoch_watch import Metrics
from nervure.training.loop import Augment, Fitted, Loss, RuleMaker, Training
from nervure.training.model_file import save_model
from nervure.training.model_kinds import is_known
from nervure.training.notes import Notes
from nervure.training.options import Task, TrainingOptions
from nervure.training.rows import Rows
from nervure.training.run import NETWORK, Run


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
    run: Run | None = None,
    checkpoint: Checkpoint | None = None,
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
    run : Run, optional
        Folder for metrics, rewirings, snapshots of the wiring, and checkpoints: one that was
        stopped or killed, opened with `Run.resume` and given the same arguments, goes on where it
        was, and comes to the same network bit for bit. In the end the network is in its model file,
        if it is of a kind that `save_model` knows.
    checkpoint : Checkpoint, optional
        A file to go on from, for training without a run folder. With a run, it has its own.

    Returns
    -------
    Fitted

    Raises
    ------
    ConvergenceError
        If an equilibrium is not found and the network's layers say "raise".
    EngineError
        If the loss is no longer finite.
    RunError
        If the run or the checkpoint cannot be read or written, or belongs to another training.

    See Also
    --------
    Training : The same an epoch at a time.
    """
    notes = None
    if run is not None:
        notes = Notes(run, network, options.epochs, on_epoch or _nothing)
        checkpoint = checkpoint or Checkpoint(run.checkpoint_path(NETWORK))
        checkpoint.join("notes", notes)

    def rewired(step: int, epoch: int, rewiring: Rewiring, gamma: float) -> None:
        for hear in (None if notes is None else notes.on_rewiring, on_rewiring):
            if hear is not None:
                hear(step, epoch, rewiring, gamma)

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
        on_epoch=on_epoch if notes is None else notes.on_epoch,
        on_rewiring=rewired if run is not None or on_rewiring is not None else None,
    )
    fitted = carry_on(training, checkpoint, until=until)
    if run is not None and is_known(network):
        save_model(run.model_path, network, metadata={})
    return fitted


def carry_on(
    training: Training,
    checkpoint: Checkpoint | None = None,
    *,
    until: Callable[[Metrics], bool] | None = None,
) -> Fitted:
    """Train to the last epoch, from where a checkpoint stands, and finish.

    Parameters
    ----------
    training : Training
        Not begun, or in a pause.
    checkpoint : Checkpoint, optional
        Written after the epochs; the training goes on from it, if it is there.
    until : callable, optional
        As for `fit`.

    Returns
    -------
    Fitted
        Interrupted, where Ctrl-C came after the first epoch; the checkpoint stays where it was.
    """
    if checkpoint is not None:
        checkpoint.join("training", training)
        checkpoint.restore()
    try:
        while not training.done:
            metrics = training.epoch()
            if checkpoint is not None:
                checkpoint.save(due=training.done)
            if until is not None and until(metrics):
                break
    except KeyboardInterrupt:
        if not training.fitted.history:
            raise
        training.fitted.interrupted = True
    return training.finish()


def _nothing(_: Metrics) -> None:
    pass
