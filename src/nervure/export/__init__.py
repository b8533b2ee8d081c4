"""A learned network goes out: ONNX, plain torch, NumPy, NetworkX, GraphML, JSON."""

from nervure.export.model import FORMS, Exported, export_model
from nervure.export.node_link import to_graphml, to_json, to_networkx
from nervure.export.numpy_file import to_numpy
from nervure.export.onnx_model import onnx_model, to_onnx
from nervure.export.sequential import to_sequential, to_torch
from nervure.export.signature import Signature

__all__ = [
    "FORMS",
    "Exported",
    "Signature",
    "export_model",
    "onnx_model",
    "to_graphml",
    "to_json",
    "to_networkx",
    "to_numpy",
    "to_onnx",
    "to_sequential",
    "to_torch",
]
