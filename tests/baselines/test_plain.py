import pytest

from nervure.baselines import PlainNetwork, matched_hidden_size


@pytest.mark.parametrize(("inputs", "outputs"), [(64, 10), (3, 1), (784, 10)])
@pytest.mark.parametrize("parameters", [1, 50, 12_460, 12_461, 84_470])
def test_matched_hidden_size_is_the_smallest_that_is_enough(inputs, outputs, parameters):
    def count(nodes):
        network = PlainNetwork(inputs, outputs, nodes=nodes)
        return sum(parameter.numel() for parameter in network.parameters())

    nodes = matched_hidden_size(inputs, outputs, parameters)
    assert count(nodes) >= parameters
    assert nodes == 1 or count(nodes - 1) < parameters
