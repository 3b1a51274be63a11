"""Processes the bench starts: pinned, measured through /proc, and never left behind.

Every process is started by start() and ended by stop(), at the latest when the bench itself
ends, by error or Ctrl-C too. Only processes started here are ever signalled, by pid.
"""
import atexit
import ctypes
import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

PR_SET_PDEATHSIG = 1
TICKS = os.sysconf("SC_CLK_TCK")
libc = ctypes.CDLL(None)
running = []
scratch_dirs = []


class BenchError(Exception):
    """The bench cannot go on with a case; the text says why."""


def descriptors_max():
    """Raise the limit as far as allowed; the proxies inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    hard = 65536 if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def scratch():
    """A new directory, removed when the bench ends."""
    path = tempfile.mkdtemp(prefix="bench-")
    os.chmod(path, 0o755)
    scratch_dirs.append(path)
    return path


def free_port():
    """A port nobody listens on, below the range that outgoing connections use."""
    for _ in range(200):
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
                return port
            except OSError:
                continue
    raise BenchError("no free port between 20000 and 32000")


def start(args, cores, stdout=subprocess.DEVNULL, stderr=None, env=None):
    """Start a process on the given cores; it dies with the bench."""
    def prepare():
        os.sched_setaffinity(0, cores)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
                               preexec_fn=prepare, env=env)
    running.append(process)
    return process


def stop(process):
    """Ask it to end, insist after five seconds; its children with it."""
    if process not in running:
        return
    running.remove(process)
    pids = tree(process.pid)
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.wait()


def wait_listening(process, port, seconds=30):
    """Return once the port takes connections."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BenchError(f"{process.args[0]} ended with {process.returncode} at start")
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise BenchError(f"{process.args[0]} does not listen on port {port} after {seconds} s")


def tree(pid):
    """The process and all its descendants."""
    pids = [pid]
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as children:
                for child in children.read().split():
                    pids += tree(int(child))
    except OSError:
        pass
    return pids


def cpu_seconds(pid):
    """(user, system) of all threads of the process and its descendants so far."""
    user = system = 0
    for each in tree(pid):
        with open(f"/proc/{each}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
        user += int(fields[11])
        system += int(fields[12])
    return user / TICKS, system / TICKS


def resident_bytes(pid):
    """Resident memory of the process and its descendants."""
    total = 0
    for each in tree(pid):
        with open(f"/proc/{each}/smaps_rollup", encoding="ascii") as rollup:
            total += 1024 * int(re.search(r"^Rss:\s+(\d+)", rollup.read(), re.M).group(1))
    return total


def forget_peak(pid):
    """Start the measure of peak_bytes() again."""
    for each in tree(pid):
        with open(f"/proc/{each}/clear_refs", "w", encoding="ascii") as clear:
            clear.write("5")


def peak_bytes(pid):
    """The most that was resident since forget_peak()."""
    total = 0
    for each in tree(pid):
        with open(f"/proc/{each}/status", encoding="ascii") as status:
            total += 1024 * int(re.search(r"^VmHWM:\s+(\d+)", status.read(), re.M).group(1))
    return total


def stop_all():
    """Stop all that was started, the last first."""
    for process in reversed(running.copy()):
        stop(process)


def end_everything():
    """Stop all that was started, remove all scratch directories."""
    stop_all()
    for path in scratch_dirs:
        shutil.rmtree(path, ignore_errors=True)
    scratch_dirs.clear()


def on_signal(number, _frame):
    sys.exit(128 + number)


def guard():
    """Call once: from now on nothing outlives the bench."""
    atexit.register(end_everything)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
