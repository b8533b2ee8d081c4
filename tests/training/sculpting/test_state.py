"""Networks in the making, against masks over the nodes of the start."""

import numpy as np
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nervure.training.sculpting.state import NetworkState
from nervure.training.sculpting.weakest import without_weakest_edges, without_weakest_units

from .plain import start_of

FEW = settings(max_examples=25, deadline=None)
SHARES = st.floats(0, 0.999)


class DenseMasks:
    """The authors' way: matrices over the nodes of the start, pruned entries are zero."""

    def __init__(self, start):
        t = start.topology
        self.t, self.n = t, t.num_nodes
        self.edges = t.targets.astype(int), t.sources.astype(int)
        self.weight = np.zeros((self.n, self.n))
        self.weight[self.edges] = start.weight.detach().numpy()
        self.mask = np.zeros((self.n, self.n), dtype=bool)
        self.mask[self.edges] = True

    def prune_edges(self, share):
        strength = np.abs(self.weight * self.mask)
        self.mask &= strength > np.percentile(strength[self.edges], 100 * share)

    def prune_units(self, scores, share):
        hidden = self.t.interior
        reads = self.mask.any(1)
        found = np.where(reads & self.mask.any(0), scores, 0)[hidden]
        gone = hidden[found <= np.percentile(found, 100 * share)]
        self.mask[gone] = False
        self.mask[:, gone] = False


def assert_same(state, start, masks):
    """The state has the edges of the masks, with the values of the start."""
    t = state.topology
    mask = np.zeros_like(masks.mask)
    mask[state.nodes[t.targets], state.nodes[t.sources]] = True
    np.testing.assert_array_equal(mask, masks.mask)
    whole = start.topology
    np.testing.assert_array_equal(whole.sources[state.edges], state.nodes[t.sources])
    np.testing.assert_array_equal(whole.targets[state.edges], state.nodes[t.targets])
    np.testing.assert_array_equal(state.weight, start.weight.detach()[state.edges])
    np.testing.assert_array_equal(state.bias, start.bias.detach()[state.nodes])
    np.testing.assert_array_equal(state.nodes[t.inputs], whole.inputs)
    np.testing.assert_array_equal(state.nodes[t.outputs], whole.outputs)


@FEW
@given(
    st.lists(st.integers(1, 7), min_size=3, max_size=5),
    st.floats(0.3, 1),
    st.lists(st.tuples(st.booleans(), SHARES), min_size=1, max_size=4),
    st.integers(0, 100),
)
def test_what_goes_is_what_masks_say(sizes, density, rounds, seed):
    start = start_of(sizes, seed, density=density)
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        # Ties among weights, and biases that are not all zero.
        start.weight.mul_(4).round_().div_(4)
        start.bias.normal_(generator=torch.Generator().manual_seed(seed))
    state, masks = NetworkState.of(start), DenseMasks(start)
    assume(start.topology.num_edges)
    units, edges = len(start.topology.interior), start.topology.num_edges
    for of_units, share in rounds:
        if of_units:
            # As true scores are: a unit that feeds none has no part in the loss.
            scores = rng.integers(0, 4, masks.n) / 3 * masks.mask.any(0)
            state = without_weakest_units(state, scores[state.nodes], share, units)
            masks.prune_units(scores, share)
        else:
            state = without_weakest_edges(state, share, edges)
            masks.prune_edges(share)
        assert_same(state, start, masks)


def test_what_equals_the_percentile_goes():
    start = start_of([2, 2, 1])
    with torch.no_grad():
        start.weight.copy_(torch.tensor([0.5, -2.0, 1.0, -0.5, 1.0, 3.0]))
    state = without_weakest_edges(NetworkState.of(start), 0.5, 6)
    assert sorted(np.abs(state.weight)) == [2, 3]


def test_units_that_read_nothing_go_first():
    start = start_of([2, 3, 1], density=0.5, seed=1, activation="sigmoid")
    t = start.topology
    unread = np.setdiff1d(t.interior, t.targets)
    assert len(unread) == 1
    scores = np.full(t.num_nodes, 0.1)
    scores[unread] = 9
    state = without_weakest_units(NetworkState.of(start), scores, 0.1, 3)
    assert set(range(6)) - set(state.nodes.tolist()) == set(unread.tolist())


def test_a_state_does_not_change_its_start():
    start = start_of([3, 4, 2])
    before = start.weight.detach().clone()
    state = NetworkState.of(start).with_edges(np.arange(20) % 2 == 0)
    state.weight[:] = 7
    torch.testing.assert_close(start.weight.detach(), before, rtol=0, atol=0)
