"""Networks laid bare."""

import numpy as np
import pytest
import torch

from nervure.training.sculpting import Sculpted, SculptingOptions, sculpt, sparsest

from .plain import start_of, task_of


def sculpted(edges, merit, threshold=0.9):
    topology = start_of([3, 4, 2]).topology
    kept = topology.keep(np.arange(topology.num_edges) < edges)
    return Sculpted(kept, np.ones(edges), np.zeros(9), merit, threshold, 0.2, 0.1, ())


def test_the_sparsest_is_one_that_reaches_its_threshold():
    networks = [sculpted(7, 0.95), sculpted(3, 0.8), sculpted(5, 0.9), sculpted(5, 1.0)]
    assert sparsest(networks) is networks[2]


def test_where_none_reaches_it_the_sparsest_of_all():
    networks = [sculpted(7, 0.1), sculpted(3, float("nan")), sculpted(5, 0.2)]
    assert not any(network.reached for network in networks)
    assert sparsest(networks) is networks[1]


def test_a_merit_that_is_no_number_reaches_nothing():
    assert not sculpted(3, float("nan"), threshold=float("nan")).reached
    assert not sculpted(3, float("nan"), threshold=-1.0).reached


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_layer_takes_it_up_and_has_its_merit(activation):
    start, task = start_of([4, 8, 3], activation=activation), task_of("bits")
    options = SculptingOptions(
        learning_rate=0.05, unit_steps=(0.4,), edge_steps=(0.1,), threshold=0.8
    )
    ((found,),) = sculpt([start], task, options, seeds=[3])
    assert found.topology.num_edges < start.topology.num_edges
    found.into(start)
    assert start.topology == found.topology
    with torch.no_grad():
        right = (start(task.x_validation) > 0) == (task.y_validation > 0.5)
    assert float(right.double().mean()) == pytest.approx(found.merit)
    gone = np.setdiff1d(start.topology.interior, start.topology.targets)
    assert len(gone)
    assert (found.bias[gone] == 0).all()
