"""
The state directory as a test sees it: verified, damaged, on a small disk.

    assert verify(proxy.state_dir) == []           # what `twokey audit verify` found, line by line
    with Database(proxy.state_dir) as database:    # only while no proxy runs on it
        database.flip("rev/…", 10)
    with small_disk(proxy.state_dir, 24) as disk:  # megabytes; skips the test where nothing can be mounted
        disk.fill()
"""
import contextlib
import ctypes
import os
import sqlite3
import subprocess

import pytest

from support.proxy import binary


def run_verify(*arguments):
    return subprocess.run([binary(), "audit", "verify", *arguments], capture_output=True, text=True, timeout=120)


def verify(*arguments):
    """The problems; none when all is good."""
    done = run_verify(*arguments)
    assert done.returncode in (0, 1) and not done.stderr, f"{done.returncode} {done.stderr}"
    lines = done.stdout.splitlines()
    assert (done.returncode == 0) == (len(lines) == 1 and ": good; " in lines[0]), done.stdout
    return lines[:-1]


class Database:
    """twokey.db through another door."""

    def __init__(self, state_dir):
        self.path = os.path.join(state_dir, "twokey.db")

    def __enter__(self):
        self.db = sqlite3.connect(self.path, isolation_level=None)
        return self

    def __exit__(self, *_):
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.db.close()

    def keys(self, prefix=""):
        return [key for key, in self.db.execute("SELECT key FROM kv WHERE key > '' ORDER BY key") if key.startswith(prefix)]

    def get(self, key):
        return bytes(self.db.execute("SELECT value FROM kv WHERE key = ?", (key,)).fetchone()[0])

    def put(self, key, value):
        self.db.execute("INSERT OR REPLACE INTO kv(key, value, version) VALUES(?, ?, 1)", (key, value))

    def delete(self, key):
        self.db.execute("DELETE FROM kv WHERE key = ?", (key,))

    def flip(self, key, at=0):
        value = bytearray(self.get(key))
        value[at % len(value)] ^= 1
        self.put(key, bytes(value))


class SmallDisk:
    def __init__(self, path):
        self.path = path
        self.filler = os.path.join(path, "filler")

    def fill(self):
        """To the last byte; what twokey has allocated already stays its own."""
        with open(self.filler, "ab", buffering=0) as file:
            for size in (65536, 4096, 256, 1):
                with contextlib.suppress(OSError):
                    while file.write(b"x" * size) == size:
                        pass

    def empty(self):
        os.unlink(self.filler)

    def remount(self, flags):
        assert _libc.mount(None, self.path.encode(), None, MS_REMOUNT | flags, None) == 0, os.strerror(ctypes.get_errno())


_libc = ctypes.CDLL(None, use_errno=True)
MS_RDONLY, MS_REMOUNT = 1, 32


@contextlib.contextmanager
def small_disk(path, megabytes):
    if _libc.mount(b"none", path.encode(), b"tmpfs", 0, b"size=%dm" % megabytes) != 0:
        pytest.skip("no small disk can be mounted here: " + os.strerror(ctypes.get_errno()))
    try:
        yield SmallDisk(path)
    finally:
        _libc.umount2(path.encode(), 2)  # MNT_DETACH: whatever still holds it
