"""kill -9 at every step: after a restart the change is in a state of the table, and traffic goes on."""
import http.client
import os
import subprocess

import pytest

from support.client import get
from support.origin import named
from support.proxy import binary

# fault point: (which call runs into it, the state after a restart, what answers)
POINTS = {
    "apply.intent": ("apply", "approved", b"old"),
    "apply.prepared": ("apply", "approved", b"old"),
    "apply.built": ("apply", "approved", b"old"),
    "apply.armed": ("apply", "rolled_back", b"old"),
    "apply.published": ("apply", "rolled_back", b"old"),
    "apply.active": ("apply", "rolled_back", b"old"),
    "confirm.confirmed": ("confirm", "applied", b"new"),
    "confirm.moved": ("confirm", "applied", b"new"),
    "restore.built": ("cancel", "rolled_back", b"old"),
    "restore.recorded": ("cancel", "rolled_back", b"old"),
    "restore.published": ("cancel", "rolled_back", b"old"),
    "rollback.built": ("rollback", "applied", b"new"),
    "rollback.recorded": ("rollback", "applied", b"old"),
    "rollback.published": ("rollback", "applied", b"old"),
}


def needs_fault_points():
    with open(binary(), "rb") as file:
        if b"TWOKEY_FAULT" not in file.read():
            pytest.skip("this build has no fault points: configure with -DTWOKEY_FAULTS=ON (presets dev, asan, tsan)")


def dies(proxy, call):
    """The call that runs into the fault point."""
    try:
        answer = call()
        raise AssertionError(f"it lives: {answer.status} {answer.body}")
    except (OSError, http.client.HTTPException):
        pass
    assert proxy.process.wait(20) == -9
    proxy.process = None


def step(proxy, change, name):
    ann = proxy.as_("ann")
    if name == "rollback":
        return ann.post("/v1/rollback", {"to": "previous", "reason": "a test"})
    return ann.post(f"/v1/changes/{change['id']}/{name}")


def restart(proxy, **env):
    proxy.env = {**{key: value for key, value in os.environ.items() if key != "TWOKEY_FAULT"}, **env}
    return proxy.start(attempts=1)


def is_whole(proxy):
    done = subprocess.run([binary(), "audit", "verify", proxy.state_dir], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("point", POINTS)
def test_killed_there(make_origin, make_enforced, point):
    needs_fault_points()
    called, state, body = POINTS[point]
    old, new = make_origin(named("old")), make_origin(named("new"))
    proxy = make_enforced([old], config={"pools": {"next": {"servers": {"n1": {"address": new.address}}}}},
                          env={"TWOKEY_FAULT": point})
    change = proxy.as_("ann").submit({"routes": {"everything": {"pool": "next"}}})
    proxy.approve_fully(change)
    before = [name for name in ("apply", "confirm") if name != called][: {"apply": 0, "confirm": 1, "cancel": 1, "rollback": 2}[called]]
    for name in before:
        assert step(proxy, change, name).status == 200
    dies(proxy, lambda: step(proxy, change, called))

    restart(proxy)
    ann = proxy.as_("ann")
    assert ann.change(change)["state"] == state
    assert get(proxy.address).body == body
    status = proxy.status()
    assert status["running"]["rev"] == status["boot"]["rev"] and status["pending_confirm"] is None
    assert status["integrity"] == "ok"
    is_whole(proxy)
    if state == "approved":  # no approved change is lost
        ann.apply(change)
        ann.confirm(change)
        assert get(proxy.address).body == b"new"


def test_killed_while_a_start_makes_good(make_origin, make_enforced):
    needs_fault_points()
    old, new = make_origin(named("old")), make_origin(named("new"))
    proxy = make_enforced([old], config={"pools": {"next": {"servers": {"n1": {"address": new.address}}}}},
                          env={"TWOKEY_FAULT": "apply.armed"})
    change = proxy.as_("ann").submit({"routes": {"everything": {"pool": "next"}}})
    proxy.approve_fully(change)
    dies(proxy, lambda: step(proxy, change, "apply"))
    proxy.env["TWOKEY_FAULT"] = "boot.pending"
    proxy._spawn()
    assert proxy.process.wait(20) == -9
    restart(proxy)
    assert proxy.as_("ann").change(change)["state"] == "rolled_back" and get(proxy.address).body == b"old"
    is_whole(proxy)
