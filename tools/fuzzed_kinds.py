"""A small sound file of every kind that nervure reads, and what a reader of each must give."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from damaged_database import DATABASE
from damaged_safetensors import SAFETENSORS
from damages import BYTES, DamagedBytes, change_length
from fuzzed_checkpoints import CHECKPOINTS, restored, write_checkpoint
from nervure.baselines import PlainNetwork
from nervure.data import ArrayEncoder, TableEncoder, encoder_from_json
from nervure.data.encoding import CategoricalColumn, NumericColumn
from nervure.data.tables import Column, Table
from nervure.errors import DataError, ModelFileError, NervureError, RunError
from nervure.networks import BlockDAG, FreeNet, GraphLinear, NeuralModules, SparseMLP
from nervure.topology import Topology
from nervure.training import Run
from nervure.training.model_file import LoadedModel, load_model, save_model
from nervure.training.model_kinds import BUILDERS
from nervure.training.run import RewiringRow
from nervure.training.state_file import load_state

# Sums of larger weights may leave the range of float32 without anything being wrong.
_ORDINARY = 1e4


class UnsoundError(Exception):
    """A damaged file was loaded to something that does not work."""


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes
    ----------
    name : str
    write : callable
        Writes a sound one to a path.
    load : callable
        Reads one, and uses what it gives: raises one of `refusal`, or UnsoundError.
    refusal : tuple of type
        What a file may be refused with.
    damages : tuple of callable
    file : str
        Its name in a folder of its own.
    """

    name: str
    write: Callable[[Path], None]
    load: Callable[[Path], object]
    refusal: tuple[type[NervureError], ...]
    damages: tuple[DamagedBytes, ...]
    file: str = "file.safetensors"


# -- models ---------------------------------------------------------------------------------------


def _wired(nodes: int) -> Topology:
    """Give a graph with loops in which every node is input and output."""
    everything = range(nodes)
    pairs = [(i, (i + step) % nodes) for i in everything for step in (1, 3)]
    return Topology.from_edges(pairs, num_nodes=nodes, inputs=everything, outputs=everything)


def _networks() -> dict[str, nn.Module]:
    mixed = ["relu", "tanh", "gelu", "sigmoid"] * 2
    stages = Topology.dense_dag(5)
    return {
        "NeuralModules": NeuralModules(4, 2, nodes=8, topology=_wired(8), activation=mixed, seed=0),
        "NeuralModules, compact": NeuralModules(
            4, 2, nodes=8, topology=_wired(8), contraction=0.9, seed=0
        ).compact(),
        "GraphLinear": GraphLinear(4, 2, nodes=6, topology=_wired(6), seed=0).compact().double(),
        "FreeNet": FreeNet(4, 2, neurons=7, seed=0),
        "SparseMLP": SparseMLP([4, 6, 5, 2], density=0.6, seed=0),
        "SparseMLP, motifs": SparseMLP([4, 6, 4, 3], motif_size=2, tied=True, density=0.8, seed=0),
        "PlainNetwork": PlainNetwork(4, 2, nodes=5, activation="relu", seed=0),
        "BlockDAG": BlockDAG(stages, 2, 2, inputs=4, outputs=2, node="mlp", seed=0),
        "BlockDAG, images": BlockDAG(
            stages, 2, 1, outputs=2, image_shape=(4, 4), node="conv", seed=0
        ),
    }


def _table() -> Table:
    values: dict[str, Any] = {"a": np.array([0.5, np.nan]), "b": np.array(["x", "y"], dtype=object)}
    types = {"a": "numeric", "b": "categorical"}
    return Table("rows", {n: Column(n, types[n], values[n]) for n in values}, 2)


_ENCODERS = {
    "table": TableEncoder(
        [NumericColumn("a", 0.5, 0.25, 2.0, True)], [CategoricalColumn("b", ("x", "y"))]
    ),
    "array": ArrayEncoder(
        ("a", "b", "c"), np.array([0.5, 0.0, 1.0]), np.array([1.0, np.inf, 2.0]), False
    ),
}


def _write_model(network: nn.Module, path: Path) -> None:
    data = {name: encoder.to_json() for name, encoder in _ENCODERS.items()}
    save_model(path, network, metadata={"data": data, "training": {"epochs": 3, "rate": 0.1}})


def _load_model(path: Path) -> object:
    loaded = load_model(path)
    _use_network(loaded)
    _use_encoders(loaded.metadata.get("data"))
    return loaded.metadata, loaded.network.state_dict()


def _use_network(loaded: LoadedModel) -> None:
    network = loaded.network
    if not isinstance(network, nn.Module) or type(network).__name__ not in BUILDERS:
        raise UnsoundError(f"a {type(network).__name__}")
    values = [t for t in network.state_dict().values() if t.is_floating_point()]
    if not all(bool(torch.isfinite(t).all()) for t in values):
        raise UnsoundError("weights that are not finite")
    topology = getattr(network, "topology", None)
    if topology is not None:
        _check_wiring(topology)
    config = network.config()
    _check_numbers(config)
    shape = (config["image_shape"] or (3, 4, 4)) if config.get("node") == "conv" else ()
    inputs = next(config[k] for k in ("inputs", "in_features", "sizes") if k in config)
    columns = math.prod(shape) if shape else inputs[0] if isinstance(inputs, list) else inputs
    if columns > 10**6:
        raise UnsoundError(f"{columns} inputs in a file of a few")
    x = torch.linspace(-1, 1, 3 * columns, dtype=values[0].dtype).reshape(3, columns)
    try:
        with torch.no_grad():
            output = network(x)
    except NervureError:
        return
    ordinary = max((float(t.abs().max()) for t in values if t.numel()), default=0.0) < _ORDINARY
    if ordinary and not bool(torch.isfinite(output).all()):
        raise UnsoundError("outputs that are not finite")


def _check_wiring(topology: Topology) -> None:
    """Check a graph by its arrays alone."""
    n, indptr, sources = topology.num_nodes, topology.indptr, topology.sources
    targets = np.repeat(np.arange(n), np.diff(indptr))
    pairs = set(zip(sources.tolist(), targets.tolist(), strict=True))
    sound = (
        indptr[0] == 0
        and (np.diff(indptr) >= 0).all()
        and indptr[-1] == len(sources) == len(pairs)
        and all(0 <= source < n and source != target for source, target in pairs)
        and all(0 <= node < n for node in (*topology.inputs, *topology.outputs))
    )
    if not sound:
        raise UnsoundError(f"a wiring that is none: {topology!r}")


def _check_numbers(config: dict[str, Any]) -> None:
    """Check that what counts something is a whole number."""
    counts = ("inputs", "outputs", "nodes", "neurons", "in_features", "out_features", "channels")
    for name in (*counts, "growth", "entry_stride", "motif_size", "max_sweeps"):
        if name in config and type(config[name]) is not int:
            raise UnsoundError(f"{name} is {config[name]!r}")


def _use_encoders(data: object) -> None:
    if not isinstance(data, dict):
        raise DataError("no encoders")
    rows = {"table": _table(), "array": np.ones((2, 3))}
    for name, given in rows.items():
        state = data.get(name)
        if not isinstance(state, dict):
            raise DataError(f"no encoder {name}")
        encoder = encoder_from_json(state)
        encoded = encoder.transform(given)
        if encoded.shape != (2, len(encoder.feature_names)):
            raise UnsoundError(f"encoded to shape {encoded.shape}")
        if not np.isfinite(encoded if isinstance(encoded, np.ndarray) else encoded.data).all():
            raise UnsoundError("encoded to what is not finite")


# -- checkpoints ----------------------------------------------------------------------------------


def _load_checkpoint(name: str, path: Path) -> object:
    state = load_state(path)
    train = restored(name, path)
    with suppress(NervureError):
        train()
    return state


# -- runs -----------------------------------------------------------------------------------------


def _write_run(path: Path) -> None:
    none = np.empty((0, 2), dtype=np.int32)
    graph = Topology.dense_dag(40)
    with Run.create(
        path.parent, config={"nodes": 40, "rate": float("inf")}, request={"a": 1}
    ) as run:
        run.record_topology(0, graph)
        for epoch in range(1, 6):
            pruned = graph.edges[:5]
            graph = graph.drop(pruned)
            run.record_rewirings([RewiringRow(epoch, epoch, pruned, none, 0.5 / epoch)])
            run.record_topology(epoch, graph)
            run.record_epoch(epoch, {"train_loss": 1 / epoch, "edges": graph.num_edges})
        run.fail("full")


def _load_run(path: Path) -> object:
    with Run.open(path.parent) as run:
        graphs = list(run.topologies())
        for _, graph in graphs:
            _check_wiring(graph)
        rewirings = list(run.rewirings())
        for row in rewirings:
            if type(row.step) is not int or type(row.epoch) is not int:
                raise UnsoundError(f"a rewiring at {row.step!r} of {row.epoch!r}")
            if type(row.gamma) is not float:
                raise UnsoundError(f"gamma is {row.gamma!r}")
        epochs = run.epochs()
        if any(type(epoch["epoch"]) is not int for epoch in epochs):
            raise UnsoundError("an epoch without number")
        if run.status not in ("running", "finished", "failed", "interrupted"):
            raise UnsoundError(f"status {run.status!r}")
        texts = run.reason, run.started, run.ended
        facts = run.config, run.request, run.versions, run.status, run.result, *texts
        seen = [(g.num_nodes, g.indptr, g.sources, g.inputs, g.outputs) for _, g in graphs]
        counts = run.rewiring_counts()
        finished = run.status == "finished"
    if not finished:
        Run.resume(path.parent).close()
    # When it was made is not what it holds.
    return epochs, seen, counts, [vars(row) for row in rewirings], facts[:-2]


def kinds() -> Iterator[Kind]:
    """Go through all kinds of files."""
    tensors = (*BYTES, change_length, *SAFETENSORS)
    networks = _networks()
    if {type(network).__name__ for network in networks.values()} != BUILDERS.keys():
        raise SystemExit(f"fuzzed are {', '.join(networks)}; known are {', '.join(BUILDERS)}")
    for name, network in networks.items():
        yield Kind(
            name, lambda path, network=network: _write_model(network, path), _load_model,
            (ModelFileError, DataError), tensors,
        )  # fmt: skip
    for name in CHECKPOINTS:
        yield Kind(
            f"checkpoint, {name}", lambda path, name=name: write_checkpoint(name, path),
            lambda path, name=name: _load_checkpoint(name, path), (NervureError,), tensors,
        )  # fmt: skip
    yield Kind("run", _write_run, _load_run, (RunError,), (*BYTES, *DATABASE), "run.sqlite")


def plain(value: object) -> object:
    """Give what was loaded as something that can be compared."""
    if isinstance(value, Tensor):
        return (
            str(value.dtype),
            tuple(value.shape),
            value.contiguous().view(-1).view(torch.uint8).numpy().tobytes()
            if value.numel()
            else b"",
        )
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, value.tobytes()
    if isinstance(value, dict):
        return {repr(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return repr(value)
