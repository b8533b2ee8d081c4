"""One round of training for many networks side by side, as one graph with one optimizer."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nervure.engine.activations import DEFAULT_LEAK
from nervure.networks import GraphLayer
from nervure.rules.unit_sensitivity import unit_sensitivity
from nervure.training.sculpting.options import SculptingOptions
from nervure.training.sculpting.state import NetworkState
from nervure.training.sculpting.task import Task

_LARGEST = 1 << 25  # node values of one evaluation, rows times nodes


@dataclass(frozen=True, eq=False)
class RoundResult:
    """What a round made of a network.

    Attributes
    ----------
    state : NetworkState
        With the weights of its best epoch: of the highest merit, and of these the lowest loss.
    merit : float
        Not a number where no epoch had a finite loss.
    scores : ndarray of float64, shape (nodes,), or None
        Loss sensitivity of each node over the validation rows, if asked for.
    epochs : int
        Until it was done.
    """

    state: NetworkState
    merit: float
    scores: NDArray[np.float64] | None
    epochs: int


class RoundOfMany:
    """Networks with the same inputs and outputs as one graph, for one round of training.

    Parameters
    ----------
    states : sequence of NetworkState
        Acyclic.
    activations : sequence of list of str
        Of the nodes of each one's start.
    streams : sequence of int
        Which stream of batches and noise each sees; those of one number see the same.
    task : Task
    options : SculptingOptions
        Of which a round needs what concerns training.
    leak : float
        Of leaky_relu, in all of them.
    """

    def __init__(
        self,
        states: Sequence[NetworkState],
        activations: Sequence[NDArray[np.str_]],
        streams: Sequence[int],
        task: Task,
        options: SculptingOptions,
        *,
        leak: float = DEFAULT_LEAK,
    ) -> None:
        self.states, self.task, self.options = list(states), task, options
        first, *rest = (state.topology for state in states)
        names = [a[s.nodes] for a, s in zip(activations, states, strict=True)]
        self.layer = GraphLayer(
            first.union(*rest),
            activation=np.concatenate(names).tolist(),
            # Of the others, one multiplies by zero what is not wired: a network that diverges
            # would spoil those beside it. Alone, a dense one is faster with matrix products.
            backend="native" if rest else "auto",
            leak=leak,
            generator=torch.Generator().manual_seed(0),
        )
        assert self.layer.bias is not None
        self._seeds, stream_of = np.unique(streams, return_inverse=True)
        self._stream_of = torch.from_numpy(stream_of)
        # A unit that reads nothing stands still, as if it were pruned.
        self._fed = torch.from_numpy((self.layer.topology.in_degree > 0).astype(np.float32))
        with torch.no_grad():
            self.layer.weight.copy_(torch.from_numpy(np.concatenate([s.weight for s in states])))
            self.layer.bias.copy_(torch.from_numpy(np.concatenate([s.bias for s in states])))
            self.layer.bias.mul_(self._fed)
        self._sizes = {
            "weight": [s.topology.num_edges for s in states],
            "bias": [s.topology.num_nodes for s in states],
        }
        self._owner = {
            name: torch.repeat_interleave(torch.tensor(sizes))
            for name, sizes in self._sizes.items()
        }

    def train(
        self, number: int, *, scored: bool, stop_at: Sequence[float] | None = None
    ) -> list[RoundResult]:
        """Train for the round of this number, which the streams depend on.

        Parameters
        ----------
        number : int
        scored : bool
            Whether the results have the sensitivity of the nodes.
        stop_at : sequence of float, optional
            A network is done once it has reached this merit, and keeps the weights with which it
            first did; the round is over when all are. None trains all epochs and keeps the best.

        Returns
        -------
        list of RoundResult
            One per network, in their order.
        """
        options, count = self.options, len(self.states)
        generators = [np.random.default_rng([int(seed), number]) for seed in self._seeds]
        optimizer = _adam(self.layer, options)
        best_merit = torch.full((count,), -torch.inf, dtype=torch.float64)
        best_loss = torch.full((count,), torch.inf, dtype=torch.float64)
        best = {name: part.detach().clone() for name, part in self.layer.named_parameters()}
        stops = torch.tensor([torch.inf] * count if stop_at is None else stop_at).double()
        trained = torch.zeros(count, dtype=torch.int64)
        for _ in range(options.epochs):
            self._train_epoch(optimizer, generators)
            going = ~(best_merit >= stops)
            trained += going
            merit, loss = self._evaluate()
            better = (merit > best_merit) | ((merit == best_merit) & (loss <= best_loss))
            # What has diverged may still be right by chance.
            better &= going & loss.isfinite()
            best_merit = torch.where(better, merit, best_merit)
            best_loss = torch.where(better, loss, best_loss)
            for name, part in self.layer.named_parameters():
                taken = better[self._owner[name]]
                torch.where(taken, part.detach(), best[name], out=best[name])
            if bool((best_merit >= stops).all()):
                break
        with torch.no_grad():
            for name, part in self.layer.named_parameters():
                part.copy_(best[name])
        scores = self._scores() if scored else [None] * count
        pieces = {
            name: [piece.numpy().copy() for piece in best[name].split(sizes)]
            for name, sizes in self._sizes.items()
        }
        return [
            RoundResult(
                state.with_values(weight, bias),
                merit if np.isfinite(merit) else float("nan"),
                score,
                epochs,
            )
            for state, weight, bias, merit, score, epochs in zip(
                self.states, pieces["weight"], pieces["bias"], best_merit.tolist(), scores,
                trained.tolist(), strict=True,
            )
        ]  # fmt: skip

    def _train_epoch(
        self, optimizer: torch.optim.Optimizer, generators: list[np.random.Generator]
    ) -> None:
        task, options = self.task, self.options
        rows, size = len(task.x), options.batch_size
        orders = torch.from_numpy(np.stack([g.permutation(rows) for g in generators]))
        assert self.layer.bias is not None
        for begin in range(0, rows, size):
            chosen = orders[:, begin : begin + size].T  # (batch, streams)
            seen = task.x[chosen]
            if options.noise:
                shape = seen.shape[::2]
                noise = np.stack(
                    [g.standard_normal(shape, dtype=np.float32) for g in generators], axis=1
                )
                seen = seen + options.noise * torch.from_numpy(noise)
            output = self._run(seen[:, self._stream_of])
            target = task.y[chosen][:, self._stream_of]
            optimizer.zero_grad(set_to_none=True)
            # The mean over rows of each network, summed over networks: no one's gradient depends
            # on how many there are.
            task.losses(output, target).mean(0).sum().backward()
            optimizer.step()
            with torch.no_grad():
                self.layer.bias.mul_(self._fed)

    def _run(self, seen: Tensor) -> Tensor:
        """Map (rows, networks, inputs) to (rows, networks, outputs)."""
        output: Tensor = self.layer(seen.flatten(1))
        return output.view(len(output), len(self.states), -1)

    @torch.no_grad()
    def _evaluate(self) -> tuple[Tensor, Tensor]:
        """Give merit and loss of each network over the validation rows."""
        merits, losses = [], []
        for x, target in self._validation_parts():
            output = self._run(x)
            merits.append(self.task.points(output, target).double().sum(0))
            losses.append(self.task.losses(output, target).double().sum(0))
        rows = len(self.task.x_validation)
        # Points are counted before they are divided, so that 99 right of 100 are 0.99 exactly.
        merit = torch.stack(merits).sum(0) / (rows * self.task.points_per_row)
        return merit, torch.stack(losses).sum(0) / rows

    def _validation_parts(self) -> list[tuple[Tensor, Tensor]]:
        task, count = self.task, len(self.states)
        rows = max(1, _LARGEST // self.layer.topology.num_nodes)
        return [
            (
                x[:, None].expand(-1, count, -1),
                y[:, None].expand(-1, count, *y.shape[1:]),
            )
            for x, y in zip(
                task.x_validation.split(rows), task.y_validation.split(rows), strict=True
            )
        ]

    def _scores(self) -> list[NDArray[np.float64]]:
        total = np.zeros(self.layer.topology.num_nodes)
        for x, target in self._validation_parts():
            flat = x.flatten(1)

            def loss(output: Tensor, target: Tensor = target) -> Tensor:
                shaped = output.unflatten(1, (len(self.states), -1))
                return self.task.losses(shaped, target).sum(1)

            # One that has diverged has no scores, which is no reason to warn of the others.
            with np.errstate(invalid="ignore", over="ignore"):
                total += unit_sensitivity(self.layer, flat, loss) * len(flat)
        total /= len(self.task.x_validation)
        return np.split(total, np.cumsum(self._sizes["bias"])[:-1])


def _adam(layer: GraphLayer, options: SculptingOptions) -> torch.optim.Optimizer:
    fused = "fused" in inspect.signature(torch.optim.Adam).parameters
    return torch.optim.Adam(
        layer.parameters(),
        lr=options.learning_rate,
        weight_decay=options.weight_decay,
        fused=fused,
    )
