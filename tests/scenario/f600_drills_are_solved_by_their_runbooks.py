"""Each drill breaks what it says, and the commands of its runbook mend it, as `twokey drill NAME --auto` plays it."""
import re
import subprocess

import pytest

from support.proxy import binary

pytestmark = pytest.mark.waits

DRILLS = ["july-morning", "sinkhole", "half-the-pool-down", "drained-too-much", "bad-health-check",
          "hash-on-a-constant", "expired-certificate", "stuck-confirmation"]


def drill(*arguments, timeout=150):
    return subprocess.run([binary(), "drill", *arguments], capture_output=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL)


def test_these_are_the_drills():
    listed = drill("--list")
    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == DRILLS


@pytest.mark.timeout(170)
@pytest.mark.parametrize("name", DRILLS)
def test_the_commands_of_the_runbook_mend_it(name):
    played = drill(name, "--auto", "--port", "0")
    assert played.returncode == 0, played.stdout + played.stderr
    told = played.stdout
    assert re.search(r"^\d\d:\d\d  PAGE ", told, re.M), told
    assert "\n%s: fixed\n" % name in told
    assert re.search(r"looked at the right thing +after \d+ s", told), told
    assert re.search(r"fixed +after \d+ s", told), told
    failed, made = map(int, re.search(r"requests +(\d+) of (\d+) failed", told).groups())
    assert 0 < failed < made, told
    assert re.search(r"steps +\d+ right, 0 wrong", told), told
