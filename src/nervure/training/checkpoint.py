"""Model files: weights, wiring and how to rebuild the network, in safetensors; no pickle."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from nervure.baselines import PlainNetwork
from nervure.errors import ModelFileError, NervureError
from nervure.networks import BlockDAG, FreeNet, GraphLinear, NeuralModules, SparseMLP
from nervure.networks.block_design import Design, state_shapes
from nervure.networks.stored_topology import WIRING, blocks_of
from nervure.networks.weight_layout import WeightLayout
from nervure.topology import Topology
from nervure.training import json_values
from nervure.training.json_values import JSON

FORMAT = "nervure-model"
VERSION = 1

_KEY = "nervure"
_RESERVED = ("format", "version", "network")
_FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)

NetworkBuilder = Callable[[Mapping[str, Any], Mapping[str, Tensor]], nn.Module]


@dataclass(frozen=True)
class LoadedModel:
    """What `load_model` gives back.

    Attributes
    ----------
    network : torch.nn.Module
        In evaluation mode, on the CPU, in the precision it was saved in.
    metadata : dict
        As from `read_metadata`.
    """

    network: nn.Module
    metadata: dict[str, Any]


class _ForeignError(ModelFileError):
    """A sound file that this nervure cannot use; the message has its own remedy."""


# -- kinds of networks ----------------------------------------------------------------------------


def register_network(kind: str, builder: NetworkBuilder) -> None:
    """Make a class of networks known to model files.

    Parameters
    ----------
    kind : str
        Name of the class. Its ``config()`` must give the arguments that rebuild it, as JSON.
    builder : callable
        Given those arguments and the saved tensors, builds the network that the tensors are then
        loaded into. Both come from a file that may be damaged: compare them (`expect_shapes`)
        before anything is built, so that a wrong number cannot ask for much memory.
    """
    _BUILDERS[kind] = builder


def expect_shapes(tensors: Mapping[str, Tensor], shapes: Mapping[str, tuple[object, ...]]) -> None:
    """Check the shapes of saved tensors against those that arguments promise.

    Raises
    ------
    ModelFileError
        If a tensor is missing or has another shape.
    """
    for name, shape in shapes.items():
        if name not in tensors:
            raise ModelFileError(f"tensor {name} is missing")
        if tuple(tensors[name].shape) != shape:
            raise ModelFileError(
                f"tensor {name} has shape {tuple(tensors[name].shape)}, expected {shape}"
            )


def saved_topology(tensors: Mapping[str, Tensor], prefix: str, block: int = 1) -> Topology:
    """Give the wiring that a network or a core saved, that under a prefix such as ``"core."``.

    With blocks of nodes it is that of the blocks.

    Raises
    ------
    ModelFileError
        If its arrays are missing or no topology.
    """
    arrays = {}
    for key in WIRING:
        name = f"{prefix}topology.{key}"
        if name not in tensors:
            raise ModelFileError(f"tensor {name} is missing")
        if tensors[name].dtype != torch.int32 or tensors[name].dim() != 1:
            raise ModelFileError(
                f"tensor {name}: expected a list of int32, got {tensors[name].dtype} of shape "
                f"{tuple(tensors[name].shape)}"
            )
        arrays[key] = tensors[name].numpy()
    indptr = arrays["indptr"]
    roles = [arrays["inputs"], arrays["outputs"]]
    if block > 1:
        roles = [blocks_of(role, block) for role in roles]
    return Topology(len(indptr) - 1, indptr, arrays["sources"], *roles)


def _neural_modules(arguments: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> nn.Module:
    topology = _checked_wiring(arguments, tensors, "inputs", "outputs")
    # The saved wiring keeps the complete digraph from being built; the seed keeps torch's own
    # random generator where it is.
    return NeuralModules(**arguments, topology=topology, seed=0)


def _graph_linear(arguments: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> nn.Module:
    topology = _checked_wiring(arguments, tensors, "in_features", "out_features")
    return GraphLinear(**arguments, topology=topology, seed=0)


def _checked_wiring(
    arguments: Mapping[str, Any], tensors: Mapping[str, Tensor], first: str, last: str
) -> Topology:
    """Give the wiring of a core between encoder and decoder, whose shapes fit the arguments."""
    topology = saved_topology(tensors, "core.")
    nodes, inputs, outputs = (arguments.get(key) for key in ("nodes", first, last))
    sparse = arguments.get("storage") == "sparse"
    shapes: dict[str, tuple[object, ...]] = {
        "encoder.weight": (nodes, inputs),
        "decoder.weight": (outputs, nodes),
        "core.weight": (topology.num_edges,) if sparse else (nodes, nodes),
        "core.topology.indptr": (topology.num_nodes + 1,),
    }
    expect_shapes(tensors, shapes)
    return topology


def _freenet(arguments: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> nn.Module:
    topology = saved_topology(tensors, "core.")
    neurons, inputs, outputs = (arguments.get(key) for key in ("neurons", "inputs", "outputs"))
    expect_shapes(
        tensors,
        {
            "encoder.weight": (neurons, inputs),
            "decoder.weight": (outputs, neurons),
            "core.weight": (topology.num_edges,),
            "core.topology.indptr": (topology.num_nodes + 1,),
        },
    )
    return FreeNet(**arguments, topology=topology, seed=0)


def _sparse_mlp(arguments: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> nn.Module:
    sizes, m = arguments.get("sizes"), arguments.get("motif_size")
    if not isinstance(sizes, list) or type(m) is not int or m < 1:
        raise ModelFileError(f"its sizes are {sizes!r} and its motif size {m!r}")
    topology = saved_topology(tensors, "core.", m)
    tied = topology.num_nodes - len(topology.outputs) if arguments.get("tied") else 0
    layout = WeightLayout.of(topology, m, tied)
    expect_shapes(tensors, {"core.weight": (layout.size,), "core.bias": (topology.num_nodes * m,)})
    return SparseMLP(**arguments, topology=topology, seed=0)


def _plain_network(arguments: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> nn.Module:
    nodes = arguments.get("nodes")
    expect_shapes(
        tensors,
        {
            "hidden.weight": (nodes, arguments.get("inputs")),
            "decoder.weight": (arguments.get("outputs"), nodes),
        },
    )
    return PlainNetwork(**arguments, seed=0)


def _block_dag(arguments: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> nn.Module:
    topology = saved_topology(tensors, "")
    design = Design.checked(topology, **{k: v for k, v in arguments.items() if k != "recompute"})
    for shapes in state_shapes(topology, design):
        expect_shapes(tensors, shapes)
    return BlockDAG(topology, **arguments, seed=0)


_BUILDERS: dict[str, NetworkBuilder] = {
    BlockDAG.__name__: _block_dag,
    FreeNet.__name__: _freenet,
    GraphLinear.__name__: _graph_linear,
    NeuralModules.__name__: _neural_modules,
    PlainNetwork.__name__: _plain_network,
    SparseMLP.__name__: _sparse_mlp,
}


# -- saving ---------------------------------------------------------------------------------------


def save_model(path: str | Path, network: nn.Module, *, metadata: Mapping[str, JSON]) -> None:
    """Write a network to a file, entirely or not at all.

    Parameters
    ----------
    path : path
        Replaced in one step if it exists. The suffix is ``.safetensors`` by custom.
    network : torch.nn.Module
        Of a registered kind; it is not changed.
    metadata : mapping
        What else belongs to the model (how data was prepared, how it was trained), as JSON.
        ``"format"``, ``"version"`` and ``"network"`` are taken.

    Raises
    ------
    ModelFileError
        If the network's kind is not registered, its weights are not finite, the metadata is no
        JSON, or the file cannot be written.

    Notes
    -----
    The file holds each tensor once and the same bytes for the same model. A second copy of the
    tensors is in memory meanwhile.
    """
    path = Path(path)
    kind = type(network).__name__
    if kind not in _BUILDERS:
        raise ModelFileError(
            f"cannot save a {kind} to {path}: known are {', '.join(sorted(_BUILDERS))}; "
            "make it known with register_network"
        )
    taken = [key for key in _RESERVED if key in metadata]
    if taken:
        raise ModelFileError(f"metadata: {', '.join(taken)} is taken; use another name")
    tensors = {}
    for name, value in network.state_dict().items():
        if not isinstance(value, Tensor):
            raise ModelFileError(f"cannot save {name} to {path}: it is no tensor")
        # Copies: parameters that share memory are legal in torch and illegal in the format.
        tensors[name] = value.detach().to("cpu", copy=True).contiguous()
    broken = _not_finite(tensors)
    if broken:
        raise ModelFileError(
            f"not saved to {path}: {broken} is not finite; training has diverged, so lower the "
            "learning rate"
        )
    header: dict[str, JSON] = {
        "format": FORMAT,
        "version": VERSION,
        "network": {"kind": kind, "arguments": cast(Any, network).config()},
        **metadata,
    }
    try:
        text = json_values.dumps(header)
    except TypeError as error:
        raise ModelFileError(f"metadata of {path} is no JSON: {error}") from error
    _write(path, save(tensors, {_KEY: text}))


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ModelFileError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose a folder "
            "that you may write to (a model that was there before is unchanged)"
        ) from error


# -- loading --------------------------------------------------------------------------------------


def load_model(path: str | Path) -> LoadedModel:
    """Read a network from a file.

    Everything in the file is checked before it is used; memory is spent in proportion to the
    file's size.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, of another kind or of a newer nervure.
    """
    path = Path(path)
    with _opened(path) as file:
        metadata = _metadata(file)
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        network = _rebuilt(metadata["network"], tensors)
    return LoadedModel(network, metadata)


def read_metadata(path: str | Path) -> dict[str, Any]:
    """Read what a model file says about itself, without its tensors.

    Returns
    -------
    dict
        "format", "version", "network" (with "kind" and "arguments"), and what `save_model` was
        given.

    Raises
    ------
    ModelFileError
        As for `load_model`, as far as the header shows it.
    """
    with _opened(Path(path)) as file:
        return _metadata(file)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a model file; whatever goes wrong inside becomes an error that names it."""
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise ModelFileError(
            f"cannot read the model {path}: it {what}; expected a file that nervure saved"
        )
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            yield file
    except SafetensorError as error:
        raise ModelFileError(
            f"cannot read the model {path}: it is empty, truncated, damaged or no safetensors "
            f"file ({error}); restore it from a copy or train again"
        ) from error
    except OSError as error:
        raise ModelFileError(
            f"cannot read the model {path}: {error.strerror or error}; check its permissions"
        ) from error
    except _ForeignError as error:
        raise ModelFileError(f"cannot read the model {path}: {error}") from error
    except (NervureError, ValueError, TypeError, LookupError, RuntimeError, OverflowError) as error:
        raise ModelFileError(
            f"cannot read the model {path}: {error}; restore it from a copy or train again"
        ) from error


def _metadata(file: Any) -> dict[str, Any]:  # noqa: ANN401
    text = (file.metadata() or {}).get(_KEY)
    if text is None:
        raise _ForeignError(
            "it is a safetensors file of something else; expected one that nervure saved"
        )
    try:
        metadata = json_values.loads(text)
    except ValueError as error:
        raise ModelFileError(f"its metadata is no JSON ({error})") from error
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise ModelFileError(f"its metadata does not name the format {FORMAT}")
    version = metadata.get("version")
    if type(version) is not int or not 1 <= version <= VERSION:
        raise _ForeignError(
            f"it has version {version!r} of the format, this nervure reads up to {VERSION}; "
            "a newer nervure may read it"
        )
    network = metadata.get("network")
    if not isinstance(network, dict) or not isinstance(network.get("arguments"), dict):
        raise ModelFileError("its metadata does not say how to build the network")
    return metadata


def _rebuilt(description: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> nn.Module:
    kind = description.get("kind")
    if not isinstance(kind, str) or kind not in _BUILDERS:
        raise _ForeignError(
            f"it holds a network of kind {kind!r}, known are {', '.join(sorted(_BUILDERS))}; "
            "import what registers the kind, or upgrade nervure"
        )
    # Wirings and counters are integers; each is compared with the network's own below.
    dtypes = {t.dtype for t in tensors.values() if t.is_floating_point()}
    if len(dtypes) != 1 or not dtypes <= set(_FLOATS):
        names = ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in dtypes))
        raise ModelFileError(f"expected all weights in one float type, got {names or 'none'}")
    broken = _not_finite(tensors)
    if broken:
        raise ModelFileError(f"tensor {broken} is not finite")
    network = _BUILDERS[kind](description["arguments"], tensors).to(dtypes.pop())
    own = network.state_dict()
    if own.keys() != tensors.keys():
        missing, surplus = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
        problems = [f"missing: {', '.join(missing)}"] * bool(missing)
        problems += [f"unknown: {', '.join(surplus)}"] * bool(surplus)
        raise ModelFileError(f"tensors do not fit the network ({'; '.join(problems)})")
    for name, tensor in own.items():
        if tensor.dtype != tensors[name].dtype:
            raise ModelFileError(
                f"tensor {name}: expected {tensor.dtype}, got {tensors[name].dtype}"
            )
    expect_shapes(tensors, {name: tuple(tensor.shape) for name, tensor in own.items()})
    network.load_state_dict(tensors)
    return network.eval()


def _not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """Name the first tensor that holds a nan or an infinity."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            return name
    return None
