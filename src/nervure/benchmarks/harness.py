"""How benchmarks are timed, checked against their peers, and written down."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from nervure.benchmarks.machine import Machine, this_machine
from nervure.errors import NervureError
from nervure.optional import find, install

OURS = "nervure"
# Calls shorter than this are repeated inside one sample, so that the clock's own cost vanishes.
_SHORTEST_SAMPLE = 2e-3


class DisagreementError(NervureError):
    """A result differs from that of a peer by more than the stated bound."""


@dataclass(frozen=True)
class Settings:
    """How a benchmark runs.

    Attributes
    ----------
    quick : bool
        Small sizes, to see that everything runs.
    repeats : int
        Timed repetitions of every call.
    budget : float
        Seconds spent on the repetitions of one call; a single call that exceeds it is measured
        once.
    """

    quick: bool = False
    repeats: int = 11
    budget: float = 20.0


@dataclass(frozen=True)
class Row:
    """One case of a benchmark.

    Attributes
    ----------
    case : str
    ours_ms : float
        Median milliseconds of nervure.
    peers : dict of str to float
        Median milliseconds of each peer.
    ratios : dict of str to float
        Peer over nervure: above 1, nervure is faster.
    max_error : float or None
        Largest relative difference from the peers.
    notes : str or None
    """

    case: str
    ours_ms: float
    peers: dict[str, float] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)
    max_error: float | None = None
    notes: str | None = None


@dataclass(frozen=True)
class Report:
    """Result of a benchmark.

    Attributes
    ----------
    benchmark : str
    machine : Machine
    rows : list of Row
    skipped : dict of str to str
        Peers that are not installed, and how to install them.
    """

    benchmark: str
    machine: Machine
    rows: list[Row]
    skipped: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Give the report as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Benchmark:
    """A benchmark by name.

    Attributes
    ----------
    name, summary : str
    measure : callable
        From settings to rows.
    packages : tuple of str
        Optional packages its peers come from.
    """

    name: str
    summary: str
    measure: Callable[[Settings], list[Row]]
    packages: tuple[str, ...] = ()

    def run(self, settings: Settings) -> Report:
        """Measure all rows."""
        machine = this_machine()
        missing = {name: install("bench") for name in self.packages if find(name) is None}
        # Packages that bring their own OpenMP know nothing of torch.set_num_threads; the limit
        # holds for the libraries loaded by now, the packages' among them.
        pools = find("threadpoolctl")
        with (
            nullcontext()
            if pools is None
            else pools.threadpool_limits(limits=machine.threads, user_api="openmp")
        ):
            rows = self.measure(settings)
        return Report(self.name, machine, rows, missing)


def timed(works: Mapping[str, Callable[[], object]], settings: Settings) -> dict[str, float]:
    """Time calls in turns.

    Parameters
    ----------
    works : mapping of str to callable
        What to time, by name.
    settings : Settings

    Returns
    -------
    dict of str to float
        Median milliseconds of each. After two calls to warm up, repetitions go round robin, so
        that a disturbance of the machine hits all of them alike.
    """
    samples: dict[str, list[float]] = {name: [] for name in works}
    spent = dict.fromkeys(works, 0.0)
    counts = dict.fromkeys(works, 1)
    for name, work in works.items():
        first = _seconds(work, 1)
        if first > settings.budget:
            samples[name].append(first)
            spent[name] = first
        else:
            counts[name] = math.ceil(_SHORTEST_SAMPLE / max(_seconds(work, 1), 1e-7))
    for _ in range(settings.repeats):
        for name, work in works.items():
            if samples[name] and spent[name] >= settings.budget:
                continue
            seconds = _seconds(work, counts[name])
            spent[name] += seconds
            samples[name].append(seconds / counts[name])
    return {name: 1e3 * statistics.median(values) for name, values in samples.items()}


def _seconds(work: Callable[[], object], count: int) -> float:
    collecting = gc.isenabled()
    gc.disable()
    try:
        begin = time.perf_counter()
        for _ in range(count):
            work()
        return time.perf_counter() - begin
    finally:
        if collecting:
            gc.enable()


def row_of(
    case: str,
    times: Mapping[str, float],
    *,
    max_error: float | None = None,
    notes: str | None = None,
) -> Row:
    """Make a row of what `timed` gave, in which nervure is called `OURS`."""
    ours = times[OURS]
    peers = {name: value for name, value in times.items() if name != OURS}
    ratios = {name: value / ours for name, value in peers.items()}
    return Row(case, ours, peers, ratios, max_error, notes)


def agreement(what: str, ours: Tensor, peer: Tensor, bound: float, *, kinks: bool = False) -> float:
    """Compare a result with a peer's.

    Parameters
    ----------
    what : str
        What is compared, for the message.
    ours, peer : Tensor
        Of one shape.
    bound : float
        Largest difference allowed, relative to the peer's largest magnitude.
    kinks : bool
        Whether single entries may differ by more: in float32 a relu close to zero can fall on
        either side, and takes the gradients of its edges for one sample with it. The Euclidean norm
        of the difference is then what is bounded, relative to the peer's.

    Returns
    -------
    float
        The largest relative difference.

    Raises
    ------
    DisagreementError
        When it exceeds the bound; the message names both values.
    """
    a, b = ours.detach().double().flatten(), peer.detach().double().flatten()
    scale = max(float(b.abs().max()), torch.finfo(torch.float32).tiny)
    difference = (a - b).abs()
    # A NaN must not pass as small.
    difference[~torch.isfinite(difference)] = math.inf
    worst = int(difference.argmax())
    error = float(difference[worst]) / scale
    if kinks:
        error = float(difference.norm() / b.norm().clamp_min(torch.finfo(torch.float32).tiny))
    if not error <= bound:
        raise DisagreementError(
            f"{what}: nervure gives {float(a[worst]):.9g} and the peer {float(b[worst]):.9g} at "
            f"position {worst}; their relative difference {error:.2g} exceeds {bound:g}"
        )
    return error
