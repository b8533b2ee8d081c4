"""Apply a trained run to new rows."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.csv
import torch
from numpy.typing import NDArray

from nervure.data import encoder_from_json, read_table
from nervure.errors import ModelFileError, RunError
from nervure.folders import write_whole
from nervure.jobs.sweep.folder import TRIALS
from nervure.jobs.sweep.study import DATABASE as SWEEP
from nervure.training import Run, predict_values
from nervure.training.model_file import load_model
from nervure.training.run_database import DATABASE
from nervure.training.run_folder import MODEL


@dataclass(frozen=True)
class Predictions:
    """Predictions for some rows.

    Attributes
    ----------
    labels : ndarray, shape (rows,), or (rows, bits)
        Class names, predicted targets in their units, or bits.
    probabilities : ndarray, shape (rows, classes), or None
        Of each class; of each bit to be 1.
    class_names : tuple of str
        Of the bits, where these are predicted.
    warnings : tuple of str
        For example categories that training had not seen.
    """

    labels: NDArray[np.generic]
    probabilities: NDArray[np.float64] | None
    class_names: tuple[str, ...]
    warnings: tuple[str, ...]


def model_file(run: Path) -> Path:
    """Give the model file of a run folder, or the file itself.

    Raises
    ------
    RunError
        If there is no run, or it has not come to a model.
    """
    if (run / SWEEP).is_file():
        raise RunError(
            f"{run} is a sweep, which has many models: choose a run in {run / TRIALS}, or train "
            "with its best settings"
        )
    if run.is_dir():
        path = run / MODEL
        if not path.exists() and (run / DATABASE).is_file():
            with Run.open(run) as opened:
                status, reason = opened.status, opened.reason
            raise RunError(
                f"the run in {run} has no model: it is {status}"
                + (f" ({reason})" if reason else "")
                + f"; go on with nervure train METHOD --resume {run}"
            )
        return path
    if not run.exists():
        raise RunError(f"no run at {run}: expected a run folder or a model.safetensors file")
    return run


def predict_table(run: Path, data: Path) -> Predictions:
    """Predict every row of a table.

    Parameters
    ----------
    run : Path
        Run folder or model file.
    data : Path
        CSV, Parquet or NPZ with the columns the model was trained on; the target may be missing.

    Returns
    -------
    Predictions

    Raises
    ------
    ModelFileError, RunError, DataError
    """
    loaded = load_model(model_file(run))
    about = loaded.metadata.get("data")
    if not isinstance(about, dict) or "encoder" not in about:
        raise ModelFileError(
            f"{run} holds a network but not how its data was encoded; predict with it from Python: "
            "nervure.load_model(path).network(x)"
        )
    encoder = encoder_from_json(about["encoder"])
    # A column is of the kind it was in training: codes or dates that were text there stay text.
    table = read_table(data, texts=encoder.text_columns)
    encoded = encoder.transform(table)
    warnings = (*table.messages, *getattr(encoder, "warnings", ()))
    values = predict_values(loaded.network, encoded).double()
    task, names, mean, std = _outputs(about, values.shape[1], run)
    if task == "bits":
        return Predictions(
            (values > 0).long().numpy(), torch.sigmoid(values).numpy(), names, warnings
        )
    if task == "classification":
        probabilities = torch.softmax(values, 1).numpy()
        labels = np.array(names, dtype=object)[probabilities.argmax(1)]
        return Predictions(labels, probabilities, names, warnings)
    return Predictions(values[:, 0].numpy() * std + mean, None, (), warnings)


def _outputs(
    about: Mapping[str, Any], width: int, run: Path
) -> tuple[str, tuple[str, ...], float, float]:
    """Give task, names of the outputs, and mean and deviation of the target."""
    task, names = about.get("task"), about.get("class_names")
    mean, std = about.get("target_mean"), about.get("target_std")
    # As many names as outputs, or for regression one output without a name.
    named = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if task == "regression":
        sound = width == 1 and isinstance(mean, float) and isinstance(std, float)
    else:
        sound = task in ("classification", "bits") and named and len(names or ()) == width
    if not sound:
        raise ModelFileError(
            f"{run}: what the model says of its outputs ({width}) does not fit them; take the file "
            "from a copy, or predict with it from Python: nervure.load_model(path).network(x)"
        )
    return cast(str, task), tuple(names or ()), float(mean or 0.0), float(std or 1.0)


def check_output(path: Path, *, force: bool = False, inputs: Iterable[Path] = ()) -> None:
    """Check that predictions may be written to a file: none of those they are made from.

    Raises
    ------
    RunError
        If they may not.
    """
    if path.suffix.lower() not in ("", ".csv", ".txt"):
        raise RunError(f"{path}: predictions are written as CSV; choose a name that ends in .csv")
    if not path.exists():
        return
    if any(one.exists() and path.samefile(one) for one in inputs):
        raise RunError(f"{path} is what the predictions are made from; choose another name")
    if not force:
        raise RunError(f"{path} exists; pass --force to replace it, or choose another name")


def write_predictions(predictions: Predictions, path: Path, *, force: bool = False) -> None:
    """Write a CSV with a column ``prediction`` and, for classes, one probability column each.

    For bits there is a ``prediction_`` and a ``probability_`` of each.

    Raises
    ------
    RunError
        If the name is not one of a CSV, the file exists and `force` is false, or it cannot be
        written.
    """
    check_output(path, force=force)
    columns: dict[str, object] = {}
    if predictions.labels.ndim == 1:
        columns["prediction"] = pa.array(predictions.labels.tolist())
    else:
        for name, column in zip(predictions.class_names, predictions.labels.T, strict=True):
            columns[f"prediction_{name}"] = pa.array(column)
    if predictions.probabilities is not None:
        for name, column in zip(predictions.class_names, predictions.probabilities.T, strict=True):
            columns[f"probability_{name}"] = pa.array(column)
    written = io.BytesIO()
    pyarrow.csv.write_csv(pa.table(columns), written)
    try:
        write_whole(path, written.getvalue())
    except OSError as error:
        raise RunError(
            f"cannot write {path}: {error.strerror or error}; choose a folder that is there and "
            "that you may write to"
        ) from error
