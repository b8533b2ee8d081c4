"""`DistributedNetwork`: one network in several processes."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from nervure.errors import DistributedError
from nervure.networks import BlockDAG, GraphLayer
from nervure.training.distributed.processes import Point, Processes

_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class DistributedNetwork(nn.Module):
    """A network that several processes train, each on its own rows of every batch.

    All processes begin with the weights, buffers and wiring of process 0. After the backward pass
    `synchronise` averages the gradients; as all processes then take the same steps, they stay the
    same. Nothing is kept per parameter, so that rules may resize and replace them.

    Parameters
    ----------
    module : torch.nn.Module
        Built alike in every process, before the optimizer; weights and wiring may differ. Rules are
        made for this one, not for the wrapper (see `DistributedRule`).
    process_group : torch.distributed.ProcessGroup, optional
        All processes if None.

    Attributes
    ----------
    module : torch.nn.Module
    processes : Processes
    averaged : bool
        Whether the gradients of the last training pass were averaged.

    Raises
    ------
    DistributedError
        If there is no process group, or the networks are not built alike.

    Notes
    -----
    The mean is over rows: a process counts by the rows, in their first dimension, of the first
    tensors its training passes were given. With a loss that is a mean over rows, gradients are so
    those of one process with all the rows, also where processes have unequal shares. A process
    that has no row left takes part with a batch of none, ``x[:0]``: its gradients, which may be
    NaN, do not count.

    Buffers, such as running statistics, are those of process 0 after each `synchronise`. Layers
    that normalise a batch do so over the rows of their own process.

    Examples
    --------
    With one process, for the sake of the example:

    >>> import tempfile, torch
    >>> from nervure import SparseMLP
    >>> from nervure.rules import SET
    >>> from nervure.training import DistributedNetwork, DistributedRule
    >>> torch.distributed.init_process_group(
    ...     "gloo", init_method=f"file://{tempfile.mkdtemp()}/meet", rank=0, world_size=1)
    >>> network = DistributedNetwork(SparseMLP([8, 20, 2], density=0.5, seed=0))
    >>> optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    >>> rule = DistributedRule(SET(network.module, optimizer, interval=1), network)
    >>> network(torch.ones(5, 8)).square().mean().backward()
    >>> network.synchronise()
    >>> optimizer.step()
    >>> rule.step().changed
    True
    >>> torch.distributed.destroy_process_group()
    """

    def __init__(self, module: nn.Module, process_group: dist.ProcessGroup | None = None) -> None:
        super().__init__()
        self.module = module
        self.processes = Processes(process_group)
        self.averaged = True
        self._rows = 0
        with self.processes.telling():
            state = self.processes.from_first(self._state)
            if self.processes.rank > 0:
                module.load_state_dict(state)
        self.check()

    def _state(self) -> dict[str, Any]:
        # Where a tensor was in process 0 is no place of the others.
        return {
            key: value.cpu() if isinstance(value, Tensor) else value
            for key, value in self.module.state_dict().items()
        }

    def forward(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as the module has it
        """Run the module.

        If it raises in training, it does so when the other processes have come to where they meet,
        and there they raise a `DistributedError`.
        """
        if not (self.training and torch.is_grad_enabled()):
            return self.module(*args, **options)
        with self.processes.telling():
            output = self.module(*args, **options)
        if self.averaged:
            self._rows, self.averaged = 0, False
        tensors = (part for part in (*args, *options.values()) if isinstance(part, Tensor))
        first = next(tensors, None)
        self._rows += 1 if first is None or first.ndim == 0 else len(first)
        return output

    @torch.no_grad()
    def synchronise(self) -> None:
        """Average the gradients over the rows of all processes; call it after ``backward()``.

        Where gradients add up over several passes it may be called after each or after the last.

        Raises
        ------
        DistributedError
            If another process failed, ended, or has another wiring, or no process has a row.
        """
        self.averaged = True
        parameters = [each for each in self.module.parameters() if each.requires_grad]
        rows = sum(self.processes.meet(Point.GRADIENTS, self._rows, self._wiring(parameters)))
        if rows == 0:
            raise DistributedError("expected rows in at least one process, got none in all")
        buffers = [each for each in self.module.buffers() if each.is_floating_point()]
        for dtype in dict.fromkeys(each.dtype for each in (*parameters, *buffers)):
            self._average(
                [each for each in parameters if each.dtype == dtype],
                [each for each in buffers if each.dtype == dtype],
                self._rows / rows,
            )

    def _average(self, parameters: list[nn.Parameter], buffers: list[Tensor], share: float) -> None:
        """Average gradients and take up buffers of one dtype, in one exchange."""
        every = [*parameters, *buffers]
        known = [each.grad is not None for each in parameters]
        sizes = [len(parameters), *(each.numel() for each in every)]
        flat = every[0].new_zeros(sum(sizes))
        flags, *parts = flat.split(sizes)
        flags.copy_(torch.tensor(known))
        for part, parameter in zip(parts, parameters, strict=False):
            # Of no rows the mean is no number, and no share of it is.
            if parameter.grad is not None and share:
                torch.mul(parameter.grad, share, out=part.view_as(parameter))
        if self.processes.rank == 0:
            for part, buffer in zip(parts[len(parameters) :], buffers, strict=True):
                part.copy_(buffer.reshape(-1))
        flags, *parts = self.processes.sum_(flat).split(sizes)
        for flag, part, parameter in zip(flags.tolist(), parts, parameters, strict=False):
            if flag and parameter.grad is None:
                parameter.grad = torch.empty_like(parameter)
            if parameter.grad is not None:
                parameter.grad.copy_(part.view_as(parameter))
        for part, buffer in zip(parts[len(parameters) :], buffers, strict=True):
            buffer.copy_(part.view_as(buffer))

    def check(self) -> None:
        """Compare the wiring, weights and buffers of all processes, to the bit.

        Raises
        ------
        DistributedError
            In all processes, if they differ.
        """
        parameters = list(self.module.parameters())
        buffers = [each for each in self.module.buffers() if each.is_floating_point()]
        sums = [_sum_of_bits(each) for each in (*parameters, *buffers)]
        self.processes.meet(Point.CHECK, fingerprint=hash((self._wiring(parameters), *sums)))

    def _wiring(self, parameters: list[nn.Parameter]) -> int:
        """Give a fingerprint of all topologies and shapes, the same in every process."""
        graphs = (part for part in self.module.modules() if isinstance(part, GraphLayer | BlockDAG))
        shapes = (tuple(parameter.shape) for parameter in parameters)
        return hash((*(hash(graph.topology) for graph in graphs), *shapes))


def _sum_of_bits(values: Tensor) -> int:
    bits = values.detach().contiguous().view(_BITS[values.element_size()])
    return int(bits.sum(dtype=torch.int64))
