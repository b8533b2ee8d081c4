"""Wirings made by hand, as pruning leaves them on the paper's Boolean tasks."""

from itertools import pairwise, product

import numpy as np

from nervure import Topology


def stacked(sizes, pairs):
    """Join layers by pairs (place in a layer, place in the next)."""
    first = np.cumsum([0, *sizes])
    edges = [
        (first[layer] + a, first[layer + 1] + b)
        for layer, between in enumerate(pairs)
        for a, b in between
    ]
    nodes = int(first[-1])
    return Topology.from_edges(
        edges, num_nodes=nodes, inputs=range(sizes[0]), outputs=range(nodes - sizes[-1], nodes)
    )


def every(a, b):
    return list(product(range(a), range(b)))


XORS = [(i, j) for i in range(4) for j in range(4) if i // 2 == j // 2]
THREES = [(i, i) for i in range(3)]
ORS = [(0, 0), (1, 0), (0, 1), (2, 1), (1, 2), (2, 2)]
ALTERNATING = [(k % 2, k) for k in range(16)]


def separable():
    """[4, 2, 4]: each half has its own inputs, two units for the XOR, one, two outputs."""
    down = [(i, i // 2) for i in range(4)]
    return stacked([4, 4, 2, 4], [XORS, down, [(b, a) for a, b in down]])


def separable_and_reused(hidden):
    """[6, 3, 3, 3]: three ANDs of two inputs each, carried on and read by two ORs each."""
    pairs = [[(i, i // 2) for i in range(6)], *[THREES] * (hidden - 1), ORS]
    return stacked([6, *[3] * (hidden + 1)], pairs)


def single(hidden=(5, 3)):
    """[4, 1, 4]: everything reads everything."""
    sizes = [4, *hidden, 4]
    return stacked(sizes, [every(a, b) for a, b in pairwise(sizes)])


def reused():
    """[4, 1, 2, 16]: three values of all inputs, two values of those, eight copies of each."""
    return stacked([4, 3, 2, 16], [every(4, 3), every(3, 2), ALTERNATING])


def random_layers(sizes, density, seed):
    generator = np.random.default_rng(seed)
    pairs = [
        [pair for pair in every(a, b) if generator.random() < density] for a, b in pairwise(sizes)
    ]
    return stacked(sizes, pairs)


def random_dag(nodes, density, seed):
    """Edges from lower to higher numbers; roles by degree."""
    generator = np.random.default_rng(seed)
    upper = np.triu(generator.random((nodes, nodes)) < density, 1)
    return Topology.from_mask(upper.T)
