"""Servers on Unix sockets and IPv6 are checked and used like any other."""
import pytest
from support.health import CHECK, Switch, checked, served_by
from support.origin import ok


@pytest.mark.parametrize("kind", ["unix", "inet6"])
def test_down_and_up(make_origin, make_proxy, kind):
    switch = Switch()
    try:
        special = make_origin(checked("s1", switch), kind=kind)
    except OSError:
        pytest.skip(f"no {kind} here")
    proxy = make_proxy([special, make_origin(checked("s2", Switch()))], pool={"health_check": CHECK, "slow_start": "0s"})
    event = proxy.wait_event("server-up", server="s1")
    proxy.wait_event("server-up", server="s2")
    assert event["address"] == special.address
    assert served_by(proxy.address, 20)["s1"] == 10
    switch.now = ok(status=500)
    proxy.wait_event("server-down", server="s1")
    assert served_by(proxy.address, 10) == {"s2": 10}
    switch.now = ok()
    proxy.wait_event("server-up", server="s1", nth=2)
    assert served_by(proxy.address, 20)["s1"] == 10
