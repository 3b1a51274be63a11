"""Slow start: 10 % of the weight at first, all of it in the end; not when the process starts."""
from support.health import CHECK, Switch, checked, served_by
from support.origin import named, ok


def test_after_down(make_origin, make_proxy):
    switch = Switch()
    proxy = make_proxy([make_origin(checked("s1", Switch())), make_origin(checked("s2", switch))],
                       pool={"health_check": CHECK, "slow_start": "4s"}, process={"workers": 1})
    proxy.wait_event("server-up", server="s2")
    proxy.wait_event("server-up", server="s1")
    assert served_by(proxy.address, 40) == {"s1": 20, "s2": 20}
    assert proxy.server("s2")["oper"]["slow_start_percent"] == 100
    switch.now = ok(status=500)
    proxy.wait_event("server-down", server="s2")
    switch.now = ok()
    proxy.wait_for(lambda: proxy.server("s2")["oper"]["health"] == "up")
    assert proxy.server("s2")["oper"]["slow_start_percent"] < 60
    few = served_by(proxy.address, 100)["s2"]
    assert 1 <= few <= 35
    proxy.wait_for(lambda: proxy.server("s2")["oper"]["slow_start_percent"] == 100)
    assert served_by(proxy.address, 40)["s2"] == 20


def test_a_server_that_joins(make_origin, make_proxy):
    origins = [make_origin(named(name)) for name in ("s1", "s2", "s3")]
    proxy = make_proxy(origins[:2], pool={"slow_start": "60s"}, process={"workers": 1})
    assert served_by(proxy.address, 20) == {"s1": 10, "s2": 10}
    proxy.config["pools"]["app"]["servers"]["s3"] = {"address": origins[2].address}
    assert proxy.reload().status < 300
    proxy.wait_for(lambda: proxy.server("s3")["oper"]["slow_start_percent"] < 20)
    assert proxy.server("s1")["oper"]["slow_start_percent"] == 100
    assert 1 <= served_by(proxy.address, 100)["s3"] <= 15
