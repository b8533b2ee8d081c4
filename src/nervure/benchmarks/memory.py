"""Memory of this process, as Linux counts it."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path

from nervure import _core


def resident() -> int | None:
    """Bytes resident now, or None where the system does not say."""
    return _field(Path("/proc/self/status"), "VmRSS")


def peak_resident() -> int | None:
    """Most bytes resident since the start or `reset_peak`."""
    return _field(Path("/proc/self/status"), "VmHWM")


def available() -> int | None:
    """Bytes that the system can still give."""
    return _field(Path("/proc/meminfo"), "MemAvailable")


def give_back() -> None:
    """Hand freed memory back to the system, as far as it can be."""
    gc.collect()
    _core.empty_cache()
    # Only the C library of GNU has it.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def reset_peak() -> bool:
    """Let the peak count from now on; say whether the system allows it."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _field(file: Path, name: str) -> int | None:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return None
    found = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
    kilobytes = next(found, None)
    return None if kilobytes is None else 1024 * int(kilobytes)
