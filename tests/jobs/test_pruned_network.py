"""Pruned networks from runs, model files and weights."""

import math

import pytest
import torch
from safetensors.torch import save_file

from nervure import FreeNet, SparseMLP
from nervure.errors import ModelFileError, RunError, TopologyError
from nervure.jobs.pruned_network import read_pruned
from nervure.networks import node_topology
from nervure.training.model_file import save_model

from .hand_made import PAIRS, sparse, state


def edges(network):
    return sorted(map(tuple, node_topology(network).edges.tolist()))


def test_runs_models_and_weights_give_the_same_edges(tmp_path):
    save_model(tmp_path / "model.safetensors", sparse(), metadata={})
    save_file(state(), tmp_path / "weights.safetensors")
    for target in (tmp_path, tmp_path / "model.safetensors", tmp_path / "weights.safetensors"):
        read = read_pruned(target)
        assert edges(read.network) == sorted(PAIRS)
        assert read.sizes == (6, 3, 3)


def test_weak_weights_are_taken_away(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file(state(weak=-0.25), path)
    with pytest.raises(TopologyError, match="all 27 edges between layers of 6, 3, 3 are there"):
        read_pruned(path)
    with pytest.raises(TopologyError, match="--prune-below"):
        read_pruned(path, prune_below=0.2)
    read = read_pruned(path, prune_below=0.25)
    assert edges(read.network) == sorted(PAIRS)
    x = torch.tensor([[1.0, 1, 0, 0, 0, 0]]).double()
    assert (read.network(x) > 0).tolist() == [[True, True, False]]
    with pytest.raises(TopologyError, match="no edge is left"):
        read_pruned(path, prune_below=2)
    for least in (-1.0, math.nan):
        with pytest.raises(TopologyError, match="expected 0 or more"):
            read_pruned(path, prune_below=least)


def test_weak_weights_of_blocks_are_taken_away_one_by_one(tmp_path):
    net = SparseMLP([4, 4, 3], motif_size=2, density=0.9, seed=0)
    save_model(tmp_path / "model.safetensors", net, metadata={})
    whole = read_pruned(tmp_path, prune_below=0).network
    strong = read_pruned(tmp_path, prune_below=0.4).network
    kept = {
        tuple(edge)
        for edge, w in zip(whole.topology.edges.tolist(), whole.edge_weight.tolist(), strict=True)
        if abs(w) > 0.4
    }
    assert set(edges(strong)) == kept
    assert 0 < len(kept) < whole.topology.num_edges


def test_names_and_what_is_boolean_are_read_from_the_run(tmp_path):
    about = {
        "data": {"feature_names": list("abcdef"), "class_names": ["x", "y", "z"]},
        "training": {"boolean": True},
    }
    save_model(tmp_path / "model.safetensors", sparse(), metadata=about)
    read = read_pruned(tmp_path)
    assert read.names == {"inputs": list("abcdef"), "outputs": ["x", "y", "z"]}
    assert not read.no_formulas
    about["data"]["class_names"], about["training"] = [], {}
    save_model(tmp_path / "model.safetensors", sparse(), metadata=about)
    read = read_pruned(tmp_path)
    assert read.names == {"inputs": list("abcdef")}
    assert "does not say that its inputs are 0 or 1" in read.no_formulas


def test_what_a_file_of_weights_leaves_open_is_said(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file(state() | {"1.running_mean": torch.zeros(3)}, path)
    read = read_pruned(path, activation="tanh")
    assert read.notes == (
        "Layers of 6, 3, 3 units, from 0.weight, 2.weight.",
        "Not of linear layers, so left aside: 1.running_mean.",
    )
    assert "would miss" in read.no_formulas
    assert "tanh between the layers" in read.assumed


def test_what_is_no_such_network_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"there is no .*: expected a run folder"):
        read_pruned(tmp_path / "nowhere")
    with pytest.raises(RunError, match=r"holds no model\.safetensors"):
        read_pruned(tmp_path)
    net = FreeNet(3, 2, neurons=4, seed=0)
    save_model(tmp_path / "model.safetensors", net, metadata={})
    with pytest.raises(ModelFileError, match="holds a FreeNet, which mixes all inputs"):
        read_pruned(tmp_path)
