import os
import signal
import subprocess
import sys
import time

import torch

from nervure.processes import worker_pool


def ignores_interrupts():
    return signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_workers_are_other_processes_with_so_many_threads():
    with worker_pool(1, 2, interruptible=False) as pool:
        assert pool.submit(os.getpid).result() != os.getpid()
        assert pool.submit(torch.get_num_threads).result() == 2
        assert pool.submit(ignores_interrupts).result()


PARENT = """
import os, time
from nervure.processes import worker_pool
if __name__ == "__main__":
    pool = worker_pool(1, 1)
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 600)
    time.sleep(600)
"""


def test_a_killed_parent_leaves_no_worker_behind(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        worker = int(parent.stdout.readline())
        parent.kill()
    until = time.monotonic() + 20
    while is_there(worker) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_there(worker)


def is_there(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
