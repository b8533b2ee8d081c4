"""Neural modules on handwritten digits, in a training loop of your own.

    python examples/modules_of_digits.py            # about 15 s
    python examples/modules_of_digits.py --quick

Prints the error and the modules by epoch, saves the network, loads it again, and writes the learned
graph as GraphML.
"""

import sys
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

import nervure
from nervure.rules import Repulsion

quick = "--quick" in sys.argv
nodes, epochs = (40, 2) if quick else (200, 15)
out = Path("runs/modules-of-digits")
out.mkdir(parents=True, exist_ok=True)

digits = nervure.data.prepare(nervure.data.load("digits"), seed=0)
x, y = torch.from_numpy(digits.x_train), torch.from_numpy(digits.y_train)
x_test, y_test = torch.from_numpy(digits.x_test), torch.from_numpy(digits.y_test)

net = nervure.NeuralModules(64, 10, nodes=nodes, seed=0)
optimizer = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.5)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
rule = Repulsion(net, optimizer, keep=2 * nodes)
order = torch.Generator().manual_seed(0)

for epoch in range(1, epochs + 1):
    for rows in torch.randperm(len(y), generator=order).split(64):
        optimizer.zero_grad()
        cross_entropy(net(x[rows]), y[rows]).backward()
        optimizer.step()
        rule.step()
    scheduler.step()
    with torch.no_grad():
        error = (net(x_test).argmax(1) != y_test).double().mean().item()
    found = nervure.module_statistics(net.topology)
    print(f"epoch {epoch}: test error {error:.2%}, modules of {list(found.sizes)} nodes")

small = net.compact()  # only the edges that are left
nervure.save_model(out / "model.safetensors", small, metadata={"data": "digits"})
again = nervure.load_model(out / "model.safetensors").network
assert torch.equal(again(x_test), small.eval()(x_test))
net.topology.to_graphml(out / "graph.graphml")
print(f"{net.topology}; in {out}")
