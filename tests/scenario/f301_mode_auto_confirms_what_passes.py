"""Mode auto: at the deadline a change that does well under traffic is confirmed; without traffic it is not."""
import time

import pytest

from support.clock import Clock
from support.load import Trickle

pytestmark = pytest.mark.waits

AUTO = {"mode": "auto", "min_bake": "0s", "deadline": "12s"}


@pytest.fixture
def clock():
    with Clock() as clock:
        yield clock


@pytest.fixture
def proxy(make_origin, make_enforced, clock):
    return make_enforced([make_origin(), make_origin()], policy={"confirm": AUTO}, env=clock.env)


def applied(proxy):
    change = proxy.as_("ann").submit({"pools": {"app": {"retry": {"attempts": 2}}}}, confirm=AUTO)
    proxy.approve_fully(change)
    proxy.as_("ann").apply(change)
    return change


def test_with_traffic(proxy):
    ann = proxy.as_("ann")
    with Trickle(proxy.address, per_second=60) as load:
        proxy.wait_for(lambda: load.statuses[200] >= 700, timeout=60)
        change = applied(proxy)
        assert proxy.status()["pending_confirm"]["mode"] == "auto"
        proxy.wait_for(lambda: ann.change(change)["state"] != "confirming", timeout=60)
    ended = ann.change(change)
    assert ended["state"] == "applied", ended["ended_why"]
    assert proxy.status()["boot"]["rev"] == ended["rev"]


def test_without_traffic(proxy, clock):
    ann = proxy.as_("ann")
    change = applied(proxy)
    proxy.wait_for(lambda: any(alert["name"] == "GateInconclusive" and alert["change"] == change["id"]
                               for alert in ann.get("/v1/alerts").json()["alerts"]), timeout=60)
    shown = ann.change(change)
    assert shown["state"] == "confirming"
    assert {each["name"]: each["state"] for each in shown["gate"]["inputs"]}["errors"] == "inconclusive"
    clock.pass_minutes(50)
    time.sleep(2)
    assert ann.change(change)["state"] == "confirming"
    clock.pass_minutes(10)
    proxy.wait_for(lambda: ann.change(change)["state"] == "rolled_back", timeout=60)
    assert "does not know" in ann.change(change)["ended_why"]
