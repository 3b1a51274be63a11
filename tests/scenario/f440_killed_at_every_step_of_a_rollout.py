"""kill -9 at every step of a rollout: a start runs what ran before, and nothing of the change is left."""
import http.client
import os
import threading

import pytest

from support.client import Client, get
from support.origin import named
from support.proxy import binary

ONE = [{"percent": 50, "for": "10s"}]
TWO = ONE + [{"percent": 60, "for": "10m"}]
# fault point: (the steps, whether it comes by itself with traffic, the state after a restart)
POINTS = {
    "canary.built": (ONE, False, "approved"),
    "canary.armed": (ONE, False, "rolled_back"),
    "canary.tried": (ONE, False, "rolled_back"),
    "canary.active": (ONE, False, "rolled_back"),
    "canary.back-recorded": (TWO, False, "rolled_back"),
    "canary.step": (TWO, True, "rolled_back"),
    "canary.whole-built": (ONE, True, "rolled_back"),
    "canary.whole-armed": (ONE, True, "rolled_back"),
    "canary.published": (ONE, True, "rolled_back"),
}


def needs_fault_points():
    with open(binary(), "rb") as file:
        if b"TWOKEY_FAULT" not in file.read():
            pytest.skip("this build has no fault points: configure with -DTWOKEY_FAULTS=ON (presets dev, asan, tsan)")


def ask(proxy, call):
    """A call that may meet the end of the process."""
    try:
        proxy.as_("ann").post(call)
    except (OSError, http.client.HTTPException):
        pass


def send_until(proxy, ended):
    while not ended.wait(0.02):
        try:
            with Client(proxy.address, timeout=5) as client:
                for _ in range(10):
                    client.request(target="/")
        except Exception:  # it was killed; that is what is waited for
            continue


@pytest.mark.timeout(120)
@pytest.mark.parametrize("point", POINTS)
def test_killed_there(make_origin, make_enforced, point):
    needs_fault_points()
    steps, by_itself, state = POINTS[point]
    old, new = make_origin(named("old")), make_origin(named("new"))
    proxy = make_enforced([old], config={"pools": {"next": {"servers": {"n1": {"address": new.address}}}}},
                          env={"TWOKEY_FAULT": point})
    change = proxy.as_("ann").submit({"routes": {"everything": {"pool": "next"}}}, rollout=steps)
    proxy.approve_fully(change)
    ended = threading.Event()
    load = threading.Thread(target=send_until, args=(proxy, ended))
    ask(proxy, f"/v1/changes/{change['id']}/apply")
    if by_itself:
        load.start()
    elif point == "canary.back-recorded":
        ask(proxy, f"/v1/changes/{change['id']}/cancel")
    try:
        assert proxy.process.wait(90) == -9
    finally:
        ended.set()
        if by_itself:
            load.join()
    proxy.process = None
    proxy.env = {key: value for key, value in os.environ.items() if key != "TWOKEY_FAULT"}
    proxy.start(attempts=1)
    assert proxy.as_("ann").change(change)["state"] == state
    assert {get(proxy.address).body for _ in range(20)} == {b"old"}
    status = proxy.status()
    assert status["running"]["rev"] == status["boot"]["rev"] and status["pending_confirm"] is None
    assert status["integrity"] == "ok"
