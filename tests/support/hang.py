"""
A thread that hangs as on a disk that does not answer: it is stopped by itself, the others go on.

    with hanging(proxy.pid, "observer"):    # one of docs/threads.md, as `top -H` shows it
"""
import contextlib
import ctypes
import os

import pytest

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000  # threads, too


def thread_of(pid, name):
    for tid in map(int, os.listdir(f"/proc/{pid}/task")):
        with open(f"/proc/{pid}/task/{tid}/comm", encoding="ascii") as comm:
            if comm.read().strip() == name:
                return tid
    raise AssertionError(f"{pid} has no thread {name}")


def trace(request, tid):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(request, tid, None, None) == -1:
        pytest.skip(f"threads cannot be stopped here (ptrace): {os.strerror(ctypes.get_errno())}")


@contextlib.contextmanager
def hanging(pid, name):
    tid = thread_of(pid, name)
    trace(SEIZE, tid)
    trace(INTERRUPT, tid)
    os.waitpid(tid, WALL)
    try:
        yield
    finally:
        trace(DETACH, tid)
