"""Two processes train one sparse network, each on its half of every batch.

    python examples/two_processes.py           # about 20 s
    python examples/two_processes.py --quick

The loop is the usual one with one line more, `synchronise`. Wirings stay the same in both
processes, and weights are those of one process with the whole batch.
"""

import sys
import tempfile

import torch
import torch.distributed as dist
from torch.nn.functional import cross_entropy

import nervure
from nervure.rules import SET
from nervure.training import DistributedNetwork, DistributedRule

PROCESSES = 2
epochs = 2 if "--quick" in sys.argv else 30


def train(rank: int, folder: str) -> None:
    """Train as one of the processes; the first says what came out."""
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=PROCESSES
    )
    torch.set_num_threads(1)
    digits = nervure.data.prepare(nervure.data.load("digits"), seed=0)
    x, x_test = torch.from_numpy(digits.x_train), torch.from_numpy(digits.x_test)
    y, y_test = torch.from_numpy(digits.y_train), torch.from_numpy(digits.y_test)

    network = DistributedNetwork(nervure.SparseMLP([64, 200, 200, 10], epsilon=10, seed=0))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    rule = DistributedRule(SET(network.module, optimizer, interval=20), network)
    order = torch.Generator().manual_seed(0)
    grown = 0
    for _ in range(epochs):
        for batch in torch.randperm(len(y), generator=order).split(64):
            rows = batch[rank::PROCESSES]
            optimizer.zero_grad()
            cross_entropy(network(x[rows]), y[rows]).backward()
            network.synchronise()
            optimizer.step()
            grown += len(rule.step().grown)
    network.check()  # raises if wirings or weights differ
    if rank == 0:
        with torch.no_grad():
            error = (network(x_test).argmax(1) != y_test).double().mean().item()
        print(f"{PROCESSES} processes: {grown} edges grown, test error {error:.2%}")
    dist.destroy_process_group()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(train, (folder,), nprocs=PROCESSES)
