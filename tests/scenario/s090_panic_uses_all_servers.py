"""When too few servers are healthy, health is not believed; or, by panic_mode, nobody serves."""
from support.client import get
from support.health import CHECK, Switch, checked, served_by
from support.origin import ok


def start(make_origin, make_proxy, **pool):
    switches = [Switch() for _ in range(4)]
    proxy = make_proxy([make_origin(checked(f"s{i}", switch)) for i, switch in enumerate(switches, 1)],
                       pool={"health_check": CHECK, "slow_start": "0s", **pool})
    for number in range(1, 5):
        proxy.wait_event("server-up", server=f"s{number}")
    return proxy, switches


def take_down(proxy, switches, *numbers):
    for number in numbers:
        switches[number - 1].now = ok(status=500)
    for number in numbers:
        proxy.wait_event("server-down", server=f"s{number}")


def test_all_are_used_until_enough_are_back(make_origin, make_proxy):
    proxy, switches = start(make_origin, make_proxy)
    take_down(proxy, switches, 1, 2)
    assert set(served_by(proxy.address, 20)) == {"s3", "s4"}
    assert not proxy.log_events("pool-panic")
    take_down(proxy, switches, 3)
    event = proxy.wait_event("pool-panic", pool="app")
    assert (event["healthy"], event["ready"]) == (1, 4)
    assert set(served_by(proxy.address, 40)) == {"s1", "s2", "s3", "s4"}
    assert proxy.pool()["panic"]
    switches[0].now = ok()
    proxy.wait_event("pool-calm", pool="app")
    assert set(served_by(proxy.address, 20)) == {"s1", "s4"}


def test_mode_fail(make_origin, make_proxy):
    proxy, switches = start(make_origin, make_proxy, panic_mode="fail")
    take_down(proxy, switches, 1, 2, 3)
    proxy.wait_event("pool-panic", pool="app")
    assert get(proxy.address).status == 503


def test_zero_percent_never_panics(make_origin, make_proxy):
    proxy, switches = start(make_origin, make_proxy, panic_percent=0)
    take_down(proxy, switches, 1, 2, 3)
    assert served_by(proxy.address, 20) == {"s4": 20}
    assert not proxy.log_events("pool-panic")
