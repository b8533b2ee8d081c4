"""How wide a network may be for a number of parameters, and networks made anew."""

import pytest
import torch

from nervure.errors import EngineError
from nervure.networks import BlockDAG, count_parameters, fitted_channels
from nervure.topology import dense_dag, from_edges

SPARSE = from_edges([(0, 1), (0, 4), (1, 3), (3, 5), (4, 5)], 6, inputs=[0], outputs=[5])
KINDS = [
    {"stages": 3, "channels": 4},
    {"stages": 2, "channels": 3, "growth": 3, "outputs": 2, "image_shape": (4, 4)},
    {"stages": 1, "node": "mlp", "inputs": 5, "channels": 7},
    {"stages": 3, "channels": 2, "node": "mlp", "reduce": "mlp", "entry": "mlp"},
]


@pytest.mark.parametrize("options", KINDS)
@pytest.mark.parametrize("topology", [dense_dag(6), SPARSE])
@pytest.mark.parametrize("parameters", [1, 300, 5000, 12345])
def test_no_other_number_of_channels_comes_closer(options, topology, parameters):
    network = BlockDAG(topology, **options)
    found = fitted_channels(network, parameters)

    def error(channels):
        made = BlockDAG(topology, **options | {"channels": channels})
        return abs(count_parameters(made) - parameters)

    # The number of parameters grows with the channels: no other has to be looked at.
    assert all(error(c) >= error(found) for c in (found - 1, found + 1) if c)


def test_nothing_is_no_size():
    with pytest.raises(EngineError, match="parameters: expected at least 1, got 0"):
        fitted_channels(BlockDAG(SPARSE), 0)


def test_made_anew_a_network_has_the_same_wiring_and_other_weights():
    network = BlockDAG(dense_dag(6), 3, 4, recompute=True, entry_stride=2, seed=0).double()
    with torch.no_grad():
        network.edge_weight.mul_(3)
    network.rewire_(SPARSE)
    again = network.renewed(seed=1)
    assert again.topology == SPARSE
    assert again.config() == network.config()
    assert again.edge_weight.dtype == torch.float64
    torch.testing.assert_close(torch.tanh(again.edge_weight), torch.full((5,), 0.5).double())
    fresh = BlockDAG(SPARSE, network.stages, 4, recompute=True, entry_stride=2, seed=1).double()
    for name, value in fresh.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name
    wider = network.renewed(channels=9, seed=1)
    assert wider.channels == 9
    assert not torch.equal(network.exit.linear.weight, again.exit.linear.weight)


def test_the_start_of_edges_is_kept():
    network = BlockDAG(dense_dag(6), 3, 4, edge_start=0.1, seed=0)
    again = network.renewed(seed=1)
    torch.testing.assert_close(torch.tanh(again.edge_weight), torch.full((15,), 0.1))
    assert again.config()["edge_start"] == 0.1
