"""Apply a trained run to new rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import torch
from numpy.typing import NDArray

from nervure.data import encoder_from_json, read_table
from nervure.errors import ModelFileError, RunError
from nervure.training import predict_values
from nervure.training.model_file import load_model


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
    """Give the model file of a run folder, or the file itself."""
    if run.is_dir():
        return run / "model.safetensors"
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
    encoded = encoder.transform(read_table(data))
    warnings = tuple(getattr(encoder, "warnings", ()))
    values = predict_values(loaded.network, encoded).double()
    names = tuple(str(name) for name in about["class_names"])
    if about["task"] == "bits":
        return Predictions(
            (values > 0).long().numpy(), torch.sigmoid(values).numpy(), names, warnings
        )
    if about["task"] == "classification":
        probabilities = torch.softmax(values, 1).numpy()
        labels = np.array(names, dtype=object)[probabilities.argmax(1)]
        return Predictions(labels, probabilities, names, warnings)
    target = values[:, 0].numpy() * float(about["target_std"]) + float(about["target_mean"])
    return Predictions(target, None, (), warnings)


def write_predictions(predictions: Predictions, path: Path, *, force: bool = False) -> None:
    """Write a CSV with a column ``prediction`` and, for classes, one probability column each.

    For bits there is a ``prediction_`` and a ``probability_`` of each.

    Raises
    ------
    RunError
        If the file exists and `force` is false, or cannot be written.
    """
    if path.exists() and not force:
        raise RunError(f"{path} exists; pass --force to replace it, or choose another name")
    columns: dict[str, object] = {}
    if predictions.labels.ndim == 1:
        columns["prediction"] = pa.array(predictions.labels.tolist())
    else:
        for name, column in zip(predictions.class_names, predictions.labels.T, strict=True):
            columns[f"prediction_{name}"] = pa.array(column)
    if predictions.probabilities is not None:
        for name, column in zip(predictions.class_names, predictions.probabilities.T, strict=True):
            columns[f"probability_{name}"] = pa.array(column)
    try:
        pyarrow.csv.write_csv(pa.table(columns), path)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error}") from error
