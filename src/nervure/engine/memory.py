"""The pool that large buffers of the native engine come from."""

from __future__ import annotations

from typing import NamedTuple

from nervure import _core


class CacheStatistics(NamedTuple):
    """State of the pool.

    Attributes
    ----------
    allocations : int
        Buffers asked of the system so far; constant in a loop that allocates nothing.
    in_use : int
        Bytes handed out.
    cached : int
        Bytes kept for the next request.
    """

    allocations: int
    in_use: int
    cached: int


def cache_statistics() -> CacheStatistics:
    """Count what the pool has done and holds."""
    return CacheStatistics(*_core.cache_statistics())


def empty_cache() -> None:
    """Give back to the system all buffers that are not in use."""
    _core.empty_cache()
