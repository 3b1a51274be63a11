"""npm packages of a folder of tests/ as its package-lock.json has them: fetched once, by one test process at a time."""
import fcntl
import os
import shutil
import subprocess

import pytest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def folder(name):
    return os.path.join(TESTS, name)


def install(name, package):
    """Gives the folder, in which `package` is; skips the test where it cannot be had."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm is not installed")
    where = folder(name)
    with open(os.path.join(where, "package-lock.json")) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(os.path.join(where, "node_modules", package)):
            done = subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=where, capture_output=True, text=True, timeout=150)
            if done.returncode != 0:
                pytest.skip(f"npm cannot install {package} here: {done.stderr[-300:]}")
    return where
