"""A model file goes out in one of the forms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nervure.errors import ExportError
from nervure.export.node_link import to_graphml, to_json
from nervure.export.numpy_file import to_numpy
from nervure.export.onnx_model import to_onnx
from nervure.export.sequential import to_torch
from nervure.export.signature import Signature
from nervure.textual import did_you_mean
from nervure.training.model_file import load_model

_WRITERS = {
    "onnx": to_onnx,
    "torch": to_torch,
    "numpy": to_numpy,
    "graphml": to_graphml,
    "json": to_json,
}
_ENDINGS = {
    "onnx": ".onnx",
    "torch": "-sequential.safetensors",
    "numpy": ".py",
    "graphml": ".graphml",
    "json": ".json",
}
FORMS = tuple(_WRITERS)
"""Names of the forms."""


@dataclass(frozen=True)
class Exported:
    """What `export_model` wrote.

    Attributes
    ----------
    kind : str
        Class of the network.
    path : Path
    num_bytes : int
    """

    kind: str
    path: Path
    num_bytes: int


def export_model(
    model: Path,
    form: str,
    output: Path | None = None,
    *,
    force: bool = False,
    sweeps: int | None = None,
    tolerance: float | None = None,
) -> Exported:
    """Write the network of a model file in another form.

    Parameters
    ----------
    model : Path
        What `nervure.save_model` wrote.
    form : {"onnx", "torch", "numpy", "graphml", "json"}
        As by `to_onnx`, `to_torch`, `to_numpy`, `to_graphml` and `to_json`, with the names of
        features and classes that the file has.
    output : Path, optional
        File to write; by default one beside the model.
    force : bool
        Whether a file that is there may be replaced.
    sweeps : int, optional
        Of cycles, for ONNX.
    tolerance : float, optional
        Of cycles, for ONNX and NumPy.

    Returns
    -------
    Exported

    Raises
    ------
    ExportError
        If the form is not known or an option does not belong to it, the file is there already, or
        the network cannot be written so.
    MissingDependencyError
        For ONNX, when onnx is not installed.
    ModelFileError
        If the model cannot be read.
    """
    if form not in FORMS:
        raise ExportError(
            f"cannot export to {form!r}; choose from {', '.join(FORMS)}{did_you_mean(form, FORMS)}"
        )
    options: dict[str, Any] = {}
    for name, value, where in (
        ("sweeps", sweeps, ("onnx",)),
        ("tolerance", tolerance, ("onnx", "numpy")),
    ):
        if value is not None and form not in where:
            raise ExportError(f"{name} is for {' and '.join(where)} only, not for {form}")
        if value is not None:
            options[name] = value
    path = model.with_name(model.stem + _ENDINGS[form]) if output is None else output
    if path.exists() and not force:
        raise ExportError(f"{path} exists; pass --force to replace it, or choose another name")
    if path.exists() and path.samefile(model):
        raise ExportError(f"{path} is the model itself; choose another name")
    loaded = load_model(model)
    signature = Signature.of(loaded.metadata)
    _WRITERS[form](loaded.network, path, signature=signature, **options)
    return Exported(type(loaded.network).__name__, path, path.stat().st_size)
