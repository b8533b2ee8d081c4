"""Weights by hand: three ANDs of two inputs each, and ORs of two of them each."""

import torch

from nervure import SparseMLP, Topology

PAIRS = [(i, 6 + i // 2) for i in range(6)] + [(6, 9), (7, 9), (6, 10), (8, 10), (7, 11), (8, 11)]
FORMULAS = {
    "M1": "x0 & x1",
    "M2": "x2 & x3",
    "M3": "x4 & x5",
    "y0": "(x0 & x1) | (x2 & x3)",
    "y1": "(x0 & x1) | (x4 & x5)",
    "y2": "(x2 & x3) | (x4 & x5)",
}


def state(weak=0.0):
    """State dict of nn.Sequential(Linear(6, 3), ReLU(), Linear(3, 3)); weak where no edge is."""
    first, second = torch.full((3, 6), weak), torch.full((3, 3), weak)
    for source, target in PAIRS:
        if target < 9:
            first[target - 6, source] = 1
        else:
            second[target - 9, source - 6] = 1
    biases = torch.full((3,), -1.0), torch.full((3,), -0.5)
    return {"0.weight": first, "0.bias": biases[0], "2.weight": second, "2.bias": biases[1]}


def sparse():
    """Give the same as a SparseMLP."""
    net = SparseMLP([6, 3, 3], topology=Topology.from_edges(PAIRS), seed=0)
    with torch.no_grad():
        net.core.weight.fill_(1.0)
        net.core.bias.copy_(torch.tensor([0.0] * 6 + [-1.0] * 3 + [-0.5] * 3))
    return net
