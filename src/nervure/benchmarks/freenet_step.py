"""FreeNets against the plain network: a training step, and the statistics of an update."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nervure.benchmarks.harness import OURS, Benchmark, Row, Settings, agreement, row_of, timed
from nervure.networks import FreeNet
from nervure.rules import CoActivation

BOUND = 1e-5
_INPUTS, _OUTPUTS, _BATCH = 784, 10, 128


def rows(settings: Settings) -> list[Row]:
    """Time a step with Adam, and an update of the wiring over as many samples as MNIST has."""
    sizes = (30,) if settings.quick else (30, 100)
    samples = 2000 if settings.quick else 60000
    return [*(_step_row(k, settings) for k in sizes), _update_row(sizes[-1], samples, settings)]


def _step_row(neurons: int, settings: Settings) -> Row:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(_BATCH, _INPUTS, generator=generator)
    y = torch.randint(_OUTPUTS, (_BATCH,), generator=generator)
    free = FreeNet(_INPUTS, _OUTPUTS, neurons=neurons, seed=0)
    plain = nn.Sequential(nn.Linear(_INPUTS, neurons), nn.ReLU(), nn.Linear(neurons, _OUTPUTS))
    error = agreement("outputs", free(x), _by_neurons(free, x), BOUND)
    times = timed({OURS: _step(free, x, y), "one hidden layer": _step(plain, x, y)}, settings)
    case = f"training step, {neurons} neurons, {_INPUTS} inputs, batch {_BATCH}"
    return row_of(case, times, max_error=error)


def _by_neurons(network: FreeNet, x: Tensor) -> Tensor:
    """Compute the outputs neuron by neuron."""
    u, topology = network.encoder(x), network.topology
    values: list[Tensor] = []
    for i in range(topology.num_nodes):
        begin, end = topology.indptr[i], topology.indptr[i + 1]
        z = u[:, i]
        for k in range(begin, end):
            z = z + network.core.weight[k] * values[topology.sources[k]]
        values.append(torch.relu(z))
    output: Tensor = network.decoder(torch.stack(values, 1))
    return output


def _update_row(neurons: int, samples: int, settings: Settings) -> Row:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(samples, _INPUTS, generator=generator)
    network = FreeNet(_INPUTS, _OUTPUTS, neurons=neurons, seed=0).eval()
    rule = CoActivation(network, None, interval=None, data=x)

    def passes() -> None:
        with torch.no_grad():
            for _ in range(2):
                for batch in x.split(1024):
                    network(batch)

    rule.update()
    with torch.no_grad():
        active = (network.activations(x) > 0).double()
    error = agreement("NCAM", rule.statistics.ncam, active.T @ active / samples, BOUND)
    times = timed({OURS: rule.update, "two forward passes": passes}, settings)
    case = f"statistics and update over {samples:,} samples, {neurons} neurons"
    return row_of(case, times, max_error=error)


def _step(network: nn.Module, x: Tensor, y: Tensor) -> Callable[[], None]:
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

    def work() -> None:
        optimizer.zero_grad()
        cross_entropy(network(x), y).backward()
        optimizer.step()

    return work


BENCHMARK = Benchmark("freenet-step", "FreeNets against a network with one hidden layer", rows)
