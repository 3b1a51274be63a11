"""A clock that the test sets, for one process: a small library before libc's, told by a file.

    with Clock() as clock:
        proxy = make_enforced([origin], env=clock.env)
        clock.pass_minutes(31)            # half an hour has gone by: the wall clock, and the one nobody sets
        clock.set_wall(hours=-2)          # somebody has set the wall clock
"""
import mmap
import os
import shutil
import struct
import subprocess
import tempfile

import pytest
from support.names import Names

SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile long long *shift_ms; /* of the wall clock, of CLOCK_BOOTTIME */

__attribute__((constructor)) static void map_shift(void)
{
    int file = open(getenv("TEST_CLOCK"), O_RDONLY | O_CLOEXEC);
    void *at = mmap(NULL, 16, PROT_READ, MAP_SHARED, file, 0);

    close(file);
    if (at != MAP_FAILED)
        shift_ms = at;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
    long done = syscall(SYS_clock_gettime, id, ts);
    long long ms = shift_ms == NULL ? 0 : id == CLOCK_REALTIME ? shift_ms[0] : id == CLOCK_BOOTTIME ? shift_ms[1] : 0;

    ts->tv_sec += ms / 1000;
    return (int)done;
}
"""


class Clock:
    def __enter__(self):
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            pytest.skip("no compiler for the library that tells the time")
        self.directory = tempfile.mkdtemp(prefix="tkc-")
        source, library, told = (os.path.join(self.directory, name) for name in ("clock.c", "clock.so", "told"))
        with open(source, "w") as file:
            file.write(SOURCE)
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
        with open(told, "wb") as file:
            file.write(bytes(16))
        self._file = open(told, "r+b")
        self._told = mmap.mmap(self._file.fileno(), 16)
        self.wall_s = self.boot_s = 0
        self.env = {"TEST_CLOCK": told, "LD_PRELOAD": ":".join(Names._runtimes() + [library])}
        return self

    def __exit__(self, *_):
        self._told.close()
        self._file.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _tell(self):
        self._told[:16] = struct.pack("qq", self.wall_s * 1000, self.boot_s * 1000)

    def pass_minutes(self, minutes):
        self.wall_s += 60 * minutes
        self.boot_s += 60 * minutes
        self._tell()

    def set_wall(self, hours):
        self.wall_s += 3600 * hours
        self._tell()
