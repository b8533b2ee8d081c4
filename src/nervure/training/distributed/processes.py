"""The processes that train one network together, and the points at which they meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from nervure.errors import DistributedError


class Point(IntEnum):
    """Where a process stands when it meets the others."""

    FAILURE = 0
    GRADIENTS = 1
    SUM = 2
    STATE = 3
    CHECK = 4


_WHERE = {
    Point.GRADIENTS: "average gradients (synchronise)",
    Point.SUM: "sum a rule's statistics (step)",
    Point.STATE: "take up the state of process 0 (being made)",
    Point.CHECK: "compare wirings and weights (check)",
}
_DIFFERENT = {
    Point.GRADIENTS: (
        "the wirings or the parameters that are trained are not alike; rewire through a "
        "DistributedRule only, or do the same in every process"
    ),
    Point.SUM: "the statistics are not of one shape; give every process the same rule and options",
    Point.CHECK: (
        "wirings or weights are not equal any more; every process needs the same optimizer, rule "
        "and options, synchronise() before each optimizer step, and a machine of the same kind"
    ),
}


class Processes:
    """The members of a process group, as one of them sees them.

    Before they exchange anything they meet: each says where it stands, so that processes out of
    step, or one that failed, end in an error in all of them and not in a wait or in nonsense.

    Parameters
    ----------
    group : torch.distributed.ProcessGroup, optional
        All processes if None.

    Attributes
    ----------
    rank, count : int

    Raises
    ------
    DistributedError
        If there is no process group.
    """

    def __init__(self, group: dist.ProcessGroup | None = None) -> None:
        if not (dist.is_available() and dist.is_initialized()):
            raise DistributedError(
                "expected a process group, got none: call "
                "torch.distributed.init_process_group('gloo') first, and start the script with "
                "torchrun"
            )
        self._group = group
        self.rank, self.count = dist.get_rank(group), dist.get_world_size(group)
        if self.rank < 0:
            raise DistributedError("this process is not a member of the process group it was given")
        # The one backend in common use that takes no tensors in main memory.
        self._device = torch.device("cuda" if dist.get_backend(group) == "nccl" else "cpu")

    def meet(self, point: Point, number: int = 0, fingerprint: int = 0) -> list[int]:
        """Wait for all processes, and give the number that each brought.

        Raises
        ------
        DistributedError
            In all processes, if one stands elsewhere, brought another fingerprint, or failed; in
            those that are left, if one has ended.
        """
        table = self._gathered(point, number, fingerprint)
        points, numbers, fingerprints = zip(*table, strict=True)
        if Point.FAILURE in points:
            raise DistributedError("; ".join(filter(None, self._messages(""))))
        apart = next((rank for rank, other in enumerate(points) if other != points[0]), None)
        if apart is not None:
            raise DistributedError(
                f"processes are out of step: 0 was to {_WHERE[points[0]]}, {apart} to "
                f"{_WHERE[points[apart]]}; every process must run the same loop over as many "
                "batches (one without rows left may give batches of none)"
            )
        unlike = [rank for rank, other in enumerate(fingerprints) if other != fingerprints[0]]
        if unlike:
            raise DistributedError(
                f"process {unlike[0]} differs from process 0: {_DIFFERENT[points[0]]}"
            )
        return list(numbers)

    def sum_(self, values: Tensor) -> Tensor:
        """Give the sum of a tensor over all processes; on the CPU in its own place."""
        there = values.to(self._device)
        self._call(dist.all_reduce, there, group=self._group)
        return there.to(values.device)

    def total(self, values: Tensor) -> Tensor:
        """Give the sum over all processes of what each has, of one shape and dtype."""
        self.meet(Point.SUM, fingerprint=hash((*values.shape, values.element_size())))
        return self.sum_(values.clone())

    def from_first(self, make: Callable[[], Any]) -> Any:  # noqa: ANN401 - any state
        """Give what `make` gives in process 0, where alone it is called."""
        box = [make() if self.rank == 0 else None]
        self.meet(Point.STATE)
        source = 0 if self._group is None else dist.get_global_rank(self._group, 0)
        self._call(dist.broadcast_object_list, box, source, group=self._group, device=self._device)
        return box[0]

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Tell the others of an error, at their next meeting, before it goes on here."""
        try:
            yield
        except DistributedError:  # the others have it too
            raise
        except Exception as error:
            with suppress(DistributedError):
                self._gathered(Point.FAILURE, 0, 0)
                self._messages(f"process {self.rank} failed: {type(error).__name__}: {error}")
            raise

    def _gathered(self, point: Point, number: int, fingerprint: int) -> list[list[int]]:
        own = torch.tensor([point, number, fingerprint], device=self._device)
        everyone = [torch.empty_like(own) for _ in range(self.count)]
        self._call(dist.all_gather, everyone, own, group=self._group)
        table: list[list[int]] = torch.stack(everyone).tolist()
        return table

    def _messages(self, own: str) -> list[str]:
        messages = [""] * self.count
        self._call(dist.all_gather_object, messages, own, group=self._group)
        return messages

    def _call(self, collective: Callable[..., Any], *args: Any, **options: Any) -> None:  # noqa: ANN401
        try:
            collective(*args, **options)
        except RuntimeError as error:
            raise DistributedError(
                f"process {self.rank} has lost another: it failed, ended (with fewer batches, "
                "perhaps), or was awaited for longer than the timeout of the process group; what "
                "it printed says more"
            ) from error
