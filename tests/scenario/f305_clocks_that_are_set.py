"""E-17: deadlines are of a clock that nobody sets; a jump of the wall clock while twokey was stopped voids what was agreed."""
import time

import pytest

from support.clock import Clock

pytestmark = pytest.mark.waits

WEIGHT = {"pools": {"app": {"servers": {"s1": {"weight": 90}}}}}
OTHER = {"pools": {"app": {"servers": {"s2": {"weight": 90}}}}}


@pytest.fixture
def clock():
    with Clock() as clock:
        yield clock


@pytest.fixture
def proxy(make_origin, make_enforced, clock):
    return make_enforced([make_origin(), make_origin()], env=clock.env)


def approved(proxy, patch):
    change = proxy.as_("ann").submit(patch)
    return proxy.approve_fully(change)


def test_a_deadline_is_not_of_the_wall_clock(proxy, clock):
    change = approved(proxy, WEIGHT)
    proxy.as_("ann").apply(change)
    for hours in (23, -46):
        clock.set_wall(hours=hours)
        time.sleep(2.5)
        assert proxy.as_("ann").change(change)["state"] == "confirming"
    clock.set_wall(hours=23)
    clock.pass_minutes(11)
    proxy.wait_for(lambda: proxy.as_("ann").change(change)["state"] == "rolled_back")
    assert proxy.as_("ann").change(change)["ended_why"] == "deadline"


@pytest.mark.parametrize("hours", [25, -2])
def test_a_jump_while_it_is_stopped(proxy, clock, hours):
    waiting, ready = approved(proxy, WEIGHT), approved(proxy, OTHER)
    proxy.as_("ann").apply(waiting)
    proxy.stop()
    clock.set_wall(hours=hours)
    proxy.start()
    ann = proxy.as_("ann")
    assert ann.change(waiting)["state"] == "rolled_back"
    assert ann.change(ready)["state"] == "expired"
    proxy.wait_for(lambda: any(alert["name"] == "ClockJump" for alert in ann.get("/v1/alerts").json()["alerts"]))
    assert proxy.status()["running"]["rev"] == 1
