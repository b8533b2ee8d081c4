"""What every method is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """On what to train and where to put it; methods add what is theirs, and how long.

    Attributes
    ----------
    data : str
        Name of a dataset, or path of a CSV, Parquet or NPZ file.
    target : str, optional
        Column to predict, for files.
    task : {"classification", "regression"}, optional
        Detected if None.
    split_by : str, optional
        Group (subject, batch) that must not be on both sides of the split.
    batch_size : int, optional
        As in `TrainingOptions`.
    learning_rate : float, optional
        None means what suits method and task.
    seed : int
        For split, weights and the order of samples.
    baseline : bool
        Whether to train the plain network beside it.
    out : Path, optional
        Run folder; ``runs/<method>-<dataset>-<time>`` if None.
    force : bool
        Whether an existing run there may be replaced.
    resume : bool
        Whether to go on with the run that is there, which was stopped or killed. The rest of the
        request must be as it was.
    tensorboard : bool
        Whether metrics are written for TensorBoard too, into the folder ``tensorboard`` of the run.
    """

    data: str = "digits"
    target: str | None = None
    task: str | None = None
    split_by: str | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    seed: int = 0
    baseline: bool = True
    out: Path | None = None
    force: bool = False
    resume: bool = False
    tensorboard: bool = False


# Where and how a run is written is no part of what it is.
ELSEWHERE = ("out", "force", "resume", "tensorboard")
