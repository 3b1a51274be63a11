"""A reload keeps what is known of the servers that stay, and checks with the new parameters."""
import pytest
from support.health import CHECK, Switch, checked, served_by
from support.origin import named, ok


@pytest.mark.parametrize("by", ["api", "signal"])
def test_down_stays_down(make_origin, make_proxy, by):
    bad = Switch(ok(status=500))
    proxy = make_proxy([make_origin(checked("s1", Switch())), make_origin(checked("s2", bad))],
                       pool={"health_check": CHECK})
    proxy.wait_event("server-up", server="s1")
    proxy.wait_event("server-down", server="s2")
    since = proxy.server("s2")["oper"]["since"]
    proxy.config["pools"]["app"]["servers"]["s3"] = {"address": make_origin(checked("s3", Switch())).address}
    proxy.reload(by=by)
    proxy.wait_event("server-up", server="s3")
    assert "s2" not in served_by(proxy.address, 30)
    assert (proxy.server("s2")["oper"]["health"], proxy.server("s2")["oper"]["since"]) == ("down", since)
    assert len(proxy.log_events("server-down")) == 1


def test_new_parameters_hold_at_once(make_origin, make_proxy):
    switch = Switch()
    origin = make_origin({"/healthz": switch, "/other": ok(status=500), "*": named("s1")})
    proxy = make_proxy([origin], pool={"health_check": {**CHECK, "interval": "1h"}})
    proxy.wait_event("server-up", server="s1")
    proxy.config["pools"]["app"]["health_check"] = {**CHECK, "path": "/other"}
    assert proxy.reload().status < 300
    proxy.wait_event("server-down", server="s1")


def test_an_ejection_outlives_it(make_origin, make_proxy):
    bad = Switch(ok(status=503))
    proxy = make_proxy([make_origin(named("s1")), make_origin(bad)],
                       pool={"ejection": {"consecutive_failures": 3, "base_time": "60s"}})
    proxy.wait_for(lambda: served_by(proxy.address, 10) and proxy.log_events("server-ejected"))
    proxy.config["routes"]["more"] = {"path_prefix": "/more", "pool": "app"}
    assert proxy.reload().status < 300
    asked = len(bad.times)
    assert served_by(proxy.address, 20) == {"s1": 20} and len(bad.times) == asked
    assert proxy.server("s2")["oper"]["ejected"]


def test_a_drained_server_gets_nothing_and_comes_back(make_origin, make_proxy):
    proxy = make_proxy([make_origin(named("s1")), make_origin(named("s2"))], pool={"slow_start": "0s"})
    assert set(served_by(proxy.address, 20)) == {"s1", "s2"}
    for state, serving in (("drain", {"s1"}), ("ready", {"s1", "s2"}), ("maint", {"s1"})):
        proxy.config["pools"]["app"]["servers"]["s2"]["state"] = state
        assert proxy.reload().status < 300
        assert set(served_by(proxy.address, 20)) == serving, state
