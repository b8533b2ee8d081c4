"""Networks as ONNX files."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from torch import nn

from nervure.errors import ExportError
from nervure.export.node_graph import node_graph
from nervure.export.onnx_blocks import add_block_dag, input_shape
from nervure.export.onnx_builder import IR_VERSION, OPSET, Builder
from nervure.export.onnx_cycles import Sweeping
from nervure.export.onnx_nodes import add_node_graph
from nervure.export.signature import Signature
from nervure.export.writing import write_file
from nervure.networks import BlockDAG

# Tighter than the engine's for float32: a step below it changes nothing that float32 resolves well.
DEFAULT_TOLERANCE = 1e-6
# A tighter tolerance than the one a network was trained with takes more sweeps.
_MORE_SWEEPS = 2


def to_onnx(
    network: nn.Module,
    path: str | PathLike[str],
    *,
    sweeps: int | None = None,
    tolerance: float = DEFAULT_TOLERANCE,
    max_sweeps: int | None = None,
    signature: Signature | None = None,
) -> None:
    """Write a network to an ONNX file, entirely or not at all.

    Parameters
    ----------
    network, sweeps, tolerance, max_sweeps, signature
        As for `onnx_model`.
    path : path
        Replaced in one step if it exists. The suffix is ``.onnx`` by custom.

    Raises
    ------
    ExportError, MissingDependencyError
        As `onnx_model` does; ExportError also if the file cannot be written.
    """
    model = onnx_model(
        network, sweeps=sweeps, tolerance=tolerance, max_sweeps=max_sweeps, signature=signature
    )
    write_file(Path(path), model.SerializeToString())


def onnx_model(
    network: nn.Module,
    *,
    sweeps: int | None = None,
    tolerance: float = DEFAULT_TOLERANCE,
    max_sweeps: int | None = None,
    signature: Signature | None = None,
) -> Any:  # noqa: ANN401 - onnx is optional
    """Write a network as an ONNX model, as it is in evaluation.

    Parameters
    ----------
    network : torch.nn.Module
        Of any kind that a model file can hold, or a GraphLayer. It is not changed.
    sweeps : int, optional
        So many sweeps of every cycle, written out one after the other, without a loop and without
        a check. None sweeps in a loop until `tolerance` is met.
    tolerance : float
        On the largest change of a sweep, relative to the largest value of the row in the component,
        or 1 if that is less.
    max_sweeps : int, optional
        Where a loop ends at the latest; twice the limit of the network by default.
    signature : Signature, optional
        Names of features and classes, for ``metadata_props``.

    Returns
    -------
    onnx.ModelProto
        In float32, of the operators of set 17. Input "input", of shape (batch, features); for a
        `BlockDAG` of images without `image_shape` (batch, channels, height, width). Output
        "output", of shape (batch, outputs): what the network gives, such as logits. With cycles
        and without `sweeps` also "change", of shape (batch,): a row is solved where that is at
        most the tolerance.

    Raises
    ------
    ExportError
        If the network is of another kind, an option is out of range, or the file would be too large
        for the format.
    MissingDependencyError
        When onnx is not installed.

    Notes
    -----
    Nodes without cycles are exact, level by level: one Gemm for all nodes of a level that have one
    activation, so one for each layer of a layered network. Layers are full matrices there, zeros
    included: a runtime does not profit from absent edges, only the file does.

    A component with cycles is a ``Loop``. Its body is one sweep of Gauss-Seidel in the order in
    which the engine sweeps: old values enter by the edges that point backward in it, and the levels
    of those that point forward read the values that are new already. Components of one depth are
    swept together if their activations are bounded. A row that has settled is held still. Rows that
    sweeps do not solve, which the engine would hand to its other solvers, keep their last value.

    ``metadata_props`` has ``nervure.network`` (its kind), ``nervure.version``, and
    ``nervure.computed``, which says in words what was done about cycles.
    """
    from nervure import __version__

    builder = Builder()
    helper, types = builder.onnx.helper, builder.onnx.TensorProto
    if isinstance(network, BlockDAG):
        shape: Sequence[int | str] = input_shape(network)
        output, outputs = add_block_dag(builder, network, "input")
        change, computed = None, "no cycles: exact, batch normalisation folded into convolutions"
    else:
        graph = node_graph(network)
        sweeping = _sweeping(sweeps, tolerance, max_sweeps, graph.max_sweeps)
        shape, outputs = (graph.features,), graph.outputs
        output, change, computed = add_node_graph(builder, graph, "input", sweeping)
    results = []
    for tensor, name, size in ((output, "output", [outputs]), (change, "change", [])):
        if tensor is not None:
            builder.call(tensor, name)
            results.append(helper.make_tensor_value_info(name, types.FLOAT, ["batch", *size]))
    model = helper.make_model(
        helper.make_graph(
            builder.operators,
            type(network).__name__,
            [helper.make_tensor_value_info("input", types.FLOAT, ["batch", *shape])],
            results,
            builder.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="nervure",
        producer_version=__version__,
    )
    about = {
        "nervure.network": type(network).__name__,
        "nervure.version": __version__,
        "nervure.computed": computed,
        **(signature or Signature()).properties(),
    }
    helper.set_model_props(model, about)
    builder.onnx.checker.check_model(model)
    return model


def _sweeping(
    sweeps: int | None, tolerance: float, max_sweeps: int | None, of_network: int
) -> Sweeping:
    limit = _MORE_SWEEPS * of_network if max_sweeps is None else max_sweeps
    for name, value in (("sweeps", sweeps), ("max_sweeps", limit)):
        if value is not None and value < 1:
            raise ExportError(f"{name}: expected at least 1, got {value}")
    if not 0 < tolerance < 1:
        raise ExportError(f"tolerance: expected between 0 and 1, got {tolerance}")
    return Sweeping(sweeps, tolerance, limit)
