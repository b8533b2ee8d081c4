"""Weights of linear layers from files that torch users write."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import prune

from nervure import SparseMLP
from nervure.errors import ModelFileError
from nervure.jobs.linear_weights import BETWEEN, is_nervure_file, read_linear_weights
from nervure.training.model_file import save_model


def saved(path, tensors):
    file = path / "weights.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file)
    return file


@pytest.mark.parametrize("activation", BETWEEN)
def test_the_network_computes_what_it_was(tmp_path, activation):
    between = BETWEEN[activation]
    # More than ten parts: the order is that of numbers, not of texts.
    parts = [nn.Linear(3, 4)]
    for _ in range(6):
        parts += [between(), nn.Linear(4, 4)]
    net = nn.Sequential(*parts, nn.Sigmoid())
    state = torch.get_rng_state()
    read = read_linear_weights(saved(tmp_path, net.state_dict()), activation=activation)
    assert torch.equal(state, torch.get_rng_state())
    x = torch.randn(5, 3)
    torch.testing.assert_close(read.network(x.double()).float(), net[:-1](x))
    assert read.names == tuple(f"{i}.weight" for i in range(0, 13, 2))
    assert read.ignored == ()


def test_other_names_no_bias_and_other_precision(tmp_path):
    tensors = {
        "body.layers.10.weight": torch.ones(1, 2, dtype=torch.bfloat16),
        "body.layers.2.weight": torch.eye(2, dtype=torch.bfloat16),
    }
    read = read_linear_weights(saved(tmp_path, tensors))
    assert read.names == ("body.layers.2.weight", "body.layers.10.weight")
    assert read.network(torch.tensor([[2.0, 3.0]]).double()).item() == 5


def test_what_torch_prunes_is_pruned(tmp_path):
    net = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    prune.l1_unstructured(net[0], "weight", amount=0.5)
    read = read_linear_weights(saved(tmp_path, net.state_dict()))
    assert read.names == ("0.weight", "2.weight")
    assert read.ignored == ()
    torch.testing.assert_close(read.network[0].weight.float(), net[0].weight)
    assert (read.network[0].weight == 0).sum() == 12


def test_tensors_of_something_else_are_named(tmp_path):
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    read = read_linear_weights(saved(tmp_path, net.state_dict()))
    assert read.names == ("0.weight", "3.weight")
    assert set(read.ignored) == {name for name in net.state_dict() if name.startswith("1.")}


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (
            {"0.weight": torch.ones(5, 4), "2.weight": torch.ones(3, 6)},
            r"2.weight of shape \(3, 6\) reads 6 units, but 0.weight before it gives 5",
        ),
        ({"0.weight": torch.ones(5, 4, 3, 3)}, "got torch.float32 of shape"),
        ({"0.weight": torch.ones(5, 4, dtype=torch.int32)}, "got torch.int32 of shape"),
        ({"0.weight": torch.full((2, 2), torch.nan)}, "0.weight is not finite"),
        ({"0.weight": torch.ones(5, 4), "0.bias": torch.ones(4)}, r"its bias has shape \(4,\)"),
        ({"gain": torch.ones(5)}, "matrices named like 0.weight, got gain"),
        ({}, "got no tensor"),
    ],
)
def test_what_is_no_chain_is_refused(tmp_path, tensors, message):
    with pytest.raises(ModelFileError, match=message):
        read_linear_weights(saved(tmp_path, tensors))


def test_what_is_no_safetensors_file_is_refused(tmp_path):
    net = nn.Linear(2, 2)
    torch.save(net.state_dict(), tmp_path / "net.pt")
    for path in (tmp_path / "net.pt", tmp_path / "nowhere"):
        with pytest.raises(ModelFileError, match="cannot read"):
            is_nervure_file(path)
    with pytest.raises(ModelFileError, match=r"save_file\(network.state_dict\(\)"):
        read_linear_weights(tmp_path / "net.pt")
    with pytest.raises(ModelFileError, match="activation: expected relu"):
        read_linear_weights(saved(tmp_path, net.state_dict()), activation="relish")


def test_files_of_nervure_are_known(tmp_path):
    save_model(tmp_path / "model.safetensors", SparseMLP([3, 2], seed=0), metadata={})
    assert is_nervure_file(tmp_path / "model.safetensors")
    assert not is_nervure_file(saved(tmp_path, {"0.weight": torch.ones(1, 1)}))
