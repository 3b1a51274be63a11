"""Backups serve while no other server of the pool can, and only then."""
import pytest

from support.load import Load
from support.origin import named, reset

CHECK = {"path": "/health", "interval": "1s", "fast_interval": "100ms", "timeout": "1s", "fall": 2, "rise": 2}


def servers(a, b, spare):
    return {"a": {"address": a.address}, "b": {"address": b.address}, "spare": {"address": spare.address, "backup": True}}


@pytest.mark.parametrize("method", ["round_robin", "least_requests", "random", "peak_ewma", "maglev"])
def test_a_backup_gets_nothing_while_others_serve(make_proxy, make_origin, method):
    spare = make_origin(named("spare"))
    proxy = make_proxy(servers(make_origin(named("a")), make_origin(named("b")), spare), pool={"balance": method})
    load = Load(proxy.address, 4, 200).run()
    assert load.statuses == {200: 200} and load.bodies["spare"] == 0 and not spare.requests


def test_it_serves_when_all_others_are_down_and_rests_when_one_is_back(make_proxy, make_origin):
    sick = {"value": False}

    def behave(name):
        def answer(conn, request):
            if sick["value"] and request.target == "/health":
                return reset()(conn, request)
            return named(name)(conn, request)
        return answer

    proxy = make_proxy(servers(make_origin(behave("a")), make_origin(behave("b")), make_origin(named("spare"))),
                       pool={"health_check": CHECK, "slow_start": "0s"})
    proxy.wait_for(lambda: all(proxy.server(name)["oper"]["health"] == "up" for name in ("a", "b", "spare")))
    assert Load(proxy.address, 2, 50).run().bodies["spare"] == 0
    sick["value"] = True
    for name in ("a", "b"):
        proxy.wait_event("server-down", server=name)
    load = Load(proxy.address, 2, 50).run()
    assert load.statuses == {200: 50} and load.bodies["spare"] == 50
    assert not proxy.log_events("pool-panic")
    sick["value"] = False
    proxy.wait_for(lambda: proxy.server("a")["oper"]["health"] == "up" and proxy.server("b")["oper"]["health"] == "up")
    load = Load(proxy.address, 2, 50).run()
    assert load.statuses == {200: 50} and load.bodies["spare"] == 0


def test_it_takes_over_when_the_others_are_drained(make_proxy, make_origin):
    proxy = make_proxy(servers(make_origin(named("a")), make_origin(named("b")), make_origin(named("spare"))))
    for name in ("a", "b"):
        proxy.config["pools"]["app"]["servers"][name]["state"] = "drain"
    assert proxy.reload().status == 200
    load = Load(proxy.address, 2, 50).run()
    assert load.statuses == {200: 50} and load.bodies["spare"] == 50
