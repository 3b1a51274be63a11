"""How a drill scores a person, what it says of bad arguments and taken ports, and that nothing of it is left behind."""
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from support.bounds import SCALE
from support.proxy import binary, free_port


def refused(*arguments):
    ran = subprocess.run([binary(), "drill", *arguments], capture_output=True, text=True, timeout=30,
                         stdin=subprocess.DEVNULL)
    assert ran.returncode == 2, ran.stdout + ran.stderr
    return ran.stderr


class Drill:
    """A drill that is being played, its lines read as they come."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([binary(), "drill", *arguments], stdin=subprocess.DEVNULL, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    @property
    def text(self):
        return "".join(self.lines)

    def wait(self, pattern, seconds=60):
        until = time.monotonic() + seconds * SCALE
        while True:
            found = re.search(pattern, self.text, re.M)
            if found:
                return found
            assert time.monotonic() < until and (self.process.poll() is None or self.reader.is_alive()), self.text
            time.sleep(0.05)

    @property
    def folder(self):
        return self.wait(r"^  cd (/\S+)$").group(1)

    def shell(self, command):
        """What the person at the keyboard would type."""
        preamble = "cd %s; %s; . build/demo/tokens; " % (self.folder, self.wait(r"^  (A=\S+)$").group(1))
        return subprocess.run(["bash", "-c", preamble + command], capture_output=True, text=True, timeout=60).stdout

    def end(self, seconds=60):
        code = self.process.wait(seconds * SCALE)
        self.reader.join(10)
        return code

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


@pytest.fixture
def start_drill():
    started = []

    def start(*arguments):
        started.append(Drill(*arguments))
        return started[-1]
    yield start
    for one in started:
        one.kill()


def living_in(folder):
    """Processes whose folder that is, by pid; also where it is gone."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink("/proc/%s/cwd" % pid).split(" (deleted)")[0] == folder:
                found.append(int(pid))
        except OSError:
            continue
    return found


def wait_until_nothing_is_left(folder):
    until = time.monotonic() + 20 * SCALE
    while living_in(folder):
        assert time.monotonic() < until, "left in %s: %s" % (folder, living_in(folder))
        time.sleep(0.05)


def test_a_person_is_scored(start_drill):
    drill = start_drill("bad-health-check", "--port", "0")
    drill.wait(r"PAGE ")
    drill.shell('curl -s -H "$BOB" $A/whoami')  # tells nothing about the outage
    drill.shell('curl -s -H "$BOB" -X PUT $A/pools/demo/servers/s1/state -d \'{"weight":50}\'')
    drill.shell('curl -s -H "$BOB" $A/pools/demo')
    drill.shell('curl -s $A/rollback -d \'{"to":"previous","reason":"503"}\'')  # without a token
    drill.shell('curl -s -H "$BOB" $A/rollback -d \'{"to":"previous","reason":"503"}\'')
    assert drill.end() == 0, drill.text
    assert re.search(r"^\d\d:\d\d  looked bob: GET /v1/pools/demo, answered 200$", drill.text, re.M), drill.text
    assert re.search(r"^\d\d:\d\d  wrong  bob: PUT /v1/pools/demo/servers/s1/state, answered 200$", drill.text, re.M)
    assert re.search(r"^\d\d:\d\d  wrong  POST /v1/rollback, answered 401$", drill.text, re.M), drill.text
    assert "steps                      1 right, 2 wrong" in drill.text
    assert "whoami" not in drill.text


def test_what_nobody_mends_is_not_fixed(start_drill):
    drill = start_drill("drained-too-much", "--port", "0", "--limit", "2")
    folder = drill.folder
    assert drill.end() == 1, drill.text
    assert "the time is up: 2 s" in drill.text and "drained-too-much: not fixed" in drill.text
    assert "looked at the right thing  never" in drill.text
    assert not os.path.exists(folder)
    wait_until_nothing_is_left(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_giving_up_leaves_nothing(start_drill, number):
    drill = start_drill("sinkhole", "--port", "0")
    folder = drill.folder
    assert living_in(folder), "the proxy runs"
    drill.process.send_signal(number)
    assert drill.end() == 1, drill.text
    assert not os.path.exists(folder)
    wait_until_nothing_is_left(folder)


def test_a_drill_that_is_killed_takes_its_proxy_along(start_drill):
    drill = start_drill("sinkhole", "--port", "0")
    folder = drill.folder
    assert living_in(folder)
    drill.kill()
    wait_until_nothing_is_left(folder)
    subprocess.run(["rm", "-rf", folder], check=True)


def test_a_proxy_that_ends_ends_the_drill(start_drill):
    drill = start_drill("july-morning", "--port", "0")
    drill.wait(r"PAGE ")
    for pid in living_in(drill.folder):
        os.kill(pid, signal.SIGKILL)
    assert drill.end() == 1, drill.text
    assert "the proxy has ended" in drill.text


def test_what_is_kept_is_said(start_drill):
    drill = start_drill("sinkhole", "--port", "0", "--limit", "1", "--keep")
    folder = drill.folder
    assert drill.end() == 1, drill.text
    assert "kept: %s\n" % folder in drill.text
    assert os.path.exists(os.path.join(folder, "log"))
    wait_until_nothing_is_left(folder)
    subprocess.run(["rm", "-rf", folder], check=True)


def test_arguments_that_are_none_are_told():
    assert "usage: twokey drill" in refused()
    assert "usage: twokey drill" in refused("july-morning", "sinkhole")
    assert "there is no drill \"july\"" in refused("july") and "july-morning" in refused("july")
    assert "--port x: must be a number from 0 to 65530" in refused("sinkhole", "--port", "x")
    assert "--port 65531: must be" in refused("sinkhole", "--port", "65531")
    assert "--port -1: must be" in refused("sinkhole", "--port", "-1")
    assert "--limit 0: must be a number from 1 to 3600" in refused("sinkhole", "--limit", "0")
    assert "--limit 5s: must be" in refused("sinkhole", "--limit", "5s")
    assert "usage: twokey drill" in refused("sinkhole", "--fast")


@pytest.mark.parametrize("place", [0, 1, 5])
def test_a_taken_port_is_told(place):
    with socket.socket() as taken:
        while True:
            first = free_port()
            try:
                taken.bind(("127.0.0.1", first + place))
                break
            except (OSError, OverflowError):
                continue
        taken.listen()
        said = refused("sinkhole", "--port", str(first))
    assert "127.0.0.1:%d: address already in use (--port N takes others: N to N+5)" % (first + place) in said


def test_a_scratch_folder_that_cannot_be_is_told():
    env = dict(os.environ, TMPDIR="/nowhere/at/all")
    ran = subprocess.run([binary(), "drill", "sinkhole", "--port", "0"], capture_output=True, text=True, env=env,
                         timeout=30)
    assert ran.returncode == 2
    assert re.search(r"/nowhere/at/all/twokey-drill-\w{6}: No such file", ran.stderr)
    env["TMPDIR"] = "/tmp/" + "x" * 90
    ran = subprocess.run([binary(), "drill", "sinkhole", "--port", "0"], capture_output=True, text=True, env=env,
                         timeout=30)
    assert ran.returncode == 2 and "TMPDIR is too long for a Unix socket below it" in ran.stderr


def test_commands_that_cannot_run_end_the_drill(tmp_path):
    ran = subprocess.run([binary(), "drill", "sinkhole", "--auto", "--port", "0"], capture_output=True, text=True,
                         env=dict(os.environ, PATH=str(tmp_path)), timeout=120)
    assert ran.returncode == 1, ran.stdout
    assert "the commands need curl and jq, and one of them is not there" in ran.stdout
