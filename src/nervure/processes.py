"""Processes that work for this one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor

import torch


def worker_pool(processes: int, threads: int, *, interruptible: bool = True) -> ProcessPoolExecutor:
    """Make a pool of fresh processes that end when this one does, however it ends.

    Parameters
    ----------
    processes : int
    threads : int
        Of torch, in each.
    interruptible : bool
        Whether Ctrl-C reaches them. If not, this process stops them in its own way.
    """
    # Fresh processes: a forked one would have torch's locks, but none of its threads.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(processes, context, _begin, (threads, interruptible))


def _begin(threads: int, interruptible: bool) -> None:
    if not interruptible:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # Whoever kills the command does not expect its work to go on for minutes.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
