"""A learned graph in the place of a convolutional network's linear layers.

    python examples/graph_in_a_convnet.py           # about 20 s
    python examples/graph_in_a_convnet.py --quick

`replace_linear_` puts a graph of neurons, loops included, where the model had a linear layer; the
rest of the model, the optimizer and the loop are plain PyTorch.
"""

import sys

import torch
from torch import nn
from torch.nn.functional import cross_entropy

import nervure
from nervure import replace_linear_
from nervure.rules import Repulsion

epochs = 1 if "--quick" in sys.argv else 10
digits = nervure.data.prepare(nervure.data.load("digits"), seed=0)
x, x_test = (torch.from_numpy(part).view(-1, 1, 8, 8) for part in (digits.x_train, digits.x_test))
y, y_test = torch.from_numpy(digits.y_train), torch.from_numpy(digits.y_test)


def convnet() -> nn.Sequential:
    """Make the same small network each time."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


for kind in ("linear layers", "a graph"):
    model = convnet()
    graphs = replace_linear_(model, ["7"], nodes=64, seed=0) if kind == "a graph" else {}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    rules = [Repulsion(graph, optimizer, keep=128, alpha=0.1) for graph in graphs.values()]
    order = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        for rows in torch.randperm(len(y), generator=order).split(32):
            optimizer.zero_grad()
            cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
            for rule in rules:
                rule.step()
    with torch.no_grad():
        error = (model(x_test).argmax(1) != y_test).double().mean().item()
    print(f"{kind}: test error {error:.2%}", *(graph.topology for graph in graphs.values()))
