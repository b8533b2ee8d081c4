"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from nervure import _core


@dataclass(frozen=True)
class Machine:
    """The machine and the software of a measurement.

    Attributes
    ----------
    cpu : str
        Model name of the processor.
    cores, threads : int
        Logical cores, and threads that PyTorch and nervure use.
    instruction_set : str
        The one that nervure's kernels chose.
    torch, python : str
        Versions.
    """

    cpu: str
    cores: int
    threads: int
    instruction_set: str
    torch: str
    python: str


def this_machine() -> Machine:
    """Describe the machine this runs on."""
    return Machine(
        cpu=_cpu_name(),
        cores=os.cpu_count() or 1,
        threads=torch.get_num_threads(),
        instruction_set=_core.instruction_set(),
        torch=str(torch.__version__),
        python=platform.python_version(),
    )


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()
