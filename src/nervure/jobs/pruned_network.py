"""A network whose modules are asked for, from a run, a model file or bare weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn

from nervure.errors import ModelFileError, RunError, TopologyError
from nervure.jobs.linear_weights import is_nervure_file, read_linear_weights
from nervure.jobs.predict import model_file
from nervure.networks import GraphLayer, SparseMLP, node_topology, single_nodes
from nervure.textual import listed
from nervure.topology import Topology
from nervure.training.model_file import load_model


@dataclass(frozen=True)
class PrunedNetwork:
    """A network, and what its file says about it.

    Attributes
    ----------
    network : GraphLayer or nn.Sequential
        Without the weak weights.
    sizes : tuple of int
        Nodes of each layer; empty if it has none.
    names : mapping of str to sequence of str
        Of "inputs" and "outputs", where they are known.
    no_formulas : str
        Why nothing is to be said of what it computes from Boolean inputs; empty if it can be.
    assumed : str
        What was taken for granted of what it computes, as the end of a sentence.
    notes : tuple of str
        What else a reader should know.
    threshold, merge_share : float or None
        By which the run that it is of found its modules.
    """

    network: nn.Module
    sizes: tuple[int, ...]
    names: Mapping[str, Sequence[str]]
    no_formulas: str = ""
    assumed: str = ""
    notes: tuple[str, ...] = ()
    threshold: float | None = None
    merge_share: float | None = None


def read_pruned(
    target: Path, *, prune_below: float = 0.0, activation: str = "relu"
) -> PrunedNetwork:
    """Read a network of which edges are missing.

    Parameters
    ----------
    target : Path
        A run folder, a model file, or a safetensors file with the weights of linear layers (see
        `read_linear_weights`).
    prune_below : float
        Edges whose weight is at most so large are taken as absent.
    activation : str
        Between the layers of a file that holds weights only.

    Returns
    -------
    PrunedNetwork

    Raises
    ------
    RunError, ModelFileError
        If there is no such network, or its file cannot be used.
    TopologyError
        If nothing is pruned, or everything is.
    """
    if not prune_below >= 0:
        raise TopologyError(f"prune_below: expected 0 or more, got {prune_below}")
    source = _read(target, activation)
    source = replace(source, network=_without_weak(source.network, prune_below))
    _check_pruned(node_topology(source.network), source.sizes)
    return source


def _read(target: Path, activation: str) -> PrunedNetwork:
    if not target.exists():
        raise RunError(
            f"there is no {target}: expected a run folder, a model.safetensors file, or a "
            ".safetensors file with the weights of a PyTorch network of linear layers"
        )
    path = model_file(target)
    if not path.is_file():
        raise RunError(f"{target} holds no {path.name}: expected a run folder with a trained model")
    return _of_nervure(path) if is_nervure_file(path) else _of_weights(path, activation)


def _of_nervure(path: Path) -> PrunedNetwork:
    loaded = load_model(path)
    network = loaded.network
    if not isinstance(network, SparseMLP | GraphLayer):
        kind = type(network).__name__
        raise ModelFileError(
            f"{path} holds a {kind}, which mixes all inputs before its graph begins, so that no "
            "module has inputs of its own; expected a network whose inputs are those of the data, "
            f"such as a SparseMLP. `nervure inspect {path}` counts the cyclic modules of a graph"
        )
    about = loaded.metadata
    parts = (about.get(key) for key in ("data", "training"))
    data, settings = (part if isinstance(part, Mapping) else {} for part in parts)
    names = {"inputs": data.get("feature_names"), "outputs": data.get("class_names")}
    topology = network.topology
    counts = {"inputs": len(topology.inputs), "outputs": len(topology.outputs)}
    if isinstance(network, SparseMLP):
        counts = {"inputs": network.sizes[0], "outputs": network.sizes[-1]}
    known = {role: given for role, given in names.items() if given and len(given) == counts[role]}
    boolean = settings.get("boolean") is True
    why = "Formulas are left out: the run does not say that its inputs are 0 or 1 (--formulas)."
    sizes = network.sizes if isinstance(network, SparseMLP) else ()
    threshold, share = settings.get("module_threshold"), settings.get("merge_share")
    return PrunedNetwork(
        network,
        sizes,
        known,
        "" if boolean else why,
        threshold=threshold if isinstance(threshold, float) else None,
        merge_share=share if isinstance(share, float) else None,
    )


def _of_weights(path: Path, activation: str) -> PrunedNetwork:
    read = read_linear_weights(path, activation=activation)
    linear = [part for part in read.network if isinstance(part, nn.Linear)]
    sizes = (linear[0].in_features, *(part.out_features for part in linear))
    notes = [f"Layers of {listed(map(str, sizes))} units, from {listed(read.names)}."]
    why = assumed = ""
    if read.ignored:
        notes.append(f"Not of linear layers, so left aside: {listed(read.ignored)}.")
        why = "Formulas are left out: they would miss what was left aside."
    if len(linear) > 1:
        assumed = f", with {activation} between the layers (--activation)"
    return PrunedNetwork(read.network, sizes, {}, why, assumed, tuple(notes))


def _without_weak(network: nn.Module, least: float) -> nn.Module:
    """Take weights of at most `least` away, zeros at any rate."""
    if isinstance(network, nn.Sequential):
        with torch.no_grad():
            for part in network:
                if isinstance(part, nn.Linear):
                    part.weight *= part.weight.abs() > least
        return network
    layer = single_nodes(network)
    strong = layer.edge_weight.abs().cpu().numpy() > least
    if not strong.all():
        layer.rewire_(layer.topology.keep(strong))
    return layer


def _check_pruned(topology: Topology, sizes: Sequence[int]) -> None:
    possible = sum(a * b for a, b in pairwise(sizes))
    if sizes and topology.num_edges == possible:
        raise TopologyError(
            f"nothing is pruned: all {possible:,} edges between layers of "
            f"{', '.join(map(str, sizes))} are there, so that every unit belongs with every other. "
            "Modules are what pruning leaves: expected a network with zeros among its weights. "
            "Prune it first (nervure.rules.UnitPruning and EdgePruning, or "
            "torch.nn.utils.prune), or take weak weights as absent with --prune-below"
        )
    if not topology.num_edges:
        raise TopologyError("no edge is left; lower --prune-below, or prune less")
