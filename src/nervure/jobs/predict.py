"""Apply a trained run to new rows."""

from __future__ import annotations

from collections.abc import Mapping
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
