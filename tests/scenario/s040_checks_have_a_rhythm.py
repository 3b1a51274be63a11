"""Checks come at the interval with jitter, and faster while a verdict is being formed."""
from support.health import CHECK, Switch, checked
from support.origin import ok


def gaps(times):
    return [later - earlier for earlier, later in zip(times, times[1:])]


def test_interval_and_jitter(make_origin, make_proxy):
    switch = Switch()
    make_proxy([make_origin(checked("s1", switch))],
               pool={"health_check": {**CHECK, "interval": "400ms"}})
    seen = gaps(switch.wait_asked(12))
    assert min(seen) > 0.3, seen   # 400 ms - 10 %, and what the machine adds to the one before
    assert sorted(seen)[len(seen) // 2] < 0.6, seen
    assert max(seen) - min(seen) > 0.005, seen


def test_a_first_failure_makes_the_next_check_come_soon(make_origin, make_proxy):
    turn = iter([ok(), ok(), ok(status=500)] + [ok()] * 100)
    switch = Switch(lambda conn, request: next(turn)(conn, request))
    proxy = make_proxy([make_origin(checked("s1", switch))],
                       pool={"health_check": {**CHECK, "interval": "2s", "fast_interval": "100ms", "fall": 3}})
    seen = gaps(switch.wait_asked(5))
    assert seen[1] > 1.5 and seen[2] < 1.0 and seen[3] > 1.5, seen
    assert not proxy.log_events("server-down")


def test_a_server_in_maintenance_is_not_asked(make_origin, make_proxy):
    resting, serving = Switch(), Switch()
    first, second = make_origin(checked("s1", resting)), make_origin(checked("s2", serving))
    make_proxy({"s1": {"address": first.address, "state": "maint"}, "s2": second}, pool={"health_check": CHECK})
    serving.wait_asked(10)
    assert not resting.times
