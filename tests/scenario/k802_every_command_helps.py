"""`twokey COMMAND --help` exists for every command, names its exit codes; a wrong use says the same on stderr, exit code 2."""
import re
import subprocess

import pytest
from support.proxy import binary

LISTED = re.findall(r"^  (\w+) +\S", subprocess.run([binary(), "--help"], capture_output=True, text=True, timeout=60).stdout, re.M)
REMOTE = ["status", "pools", "changes", "show", "submit", "approve", "veto", "withdraw", "apply", "confirm", "cancel",
          "rollback", "drain", "maint", "ready", "export"]


def run(*arguments):
    return subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("command", [name for name in LISTED if name != "version"])
def test_help(command):
    done = run(command, "--help")
    assert done.returncode == 0 and not done.stderr
    assert done.stdout.startswith(f"usage: twokey {command}")
    assert re.search("exit codes?:", done.stdout, re.I)
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.parametrize("command", REMOTE)
def test_wrong_use(command):
    assert command in LISTED
    for wrong in (["--nonsense"], ["a", "b", "c", "d"]):
        done = run(command, *wrong)
        assert done.returncode == 2 and "usage: twokey " + command in done.stderr and not done.stdout


def test_a_command_that_is_not():
    done = run("aprove")
    assert done.returncode == 2 and "there is no command" in done.stderr
