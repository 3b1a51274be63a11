"""When too few servers are healthy, health is not believed; or the requests fail, if that is asked for."""
import pytest

from support.load import Load
from support.origin import named, reset

CHECK = {"path": "/health", "interval": "1s", "fast_interval": "100ms", "timeout": "1s", "fall": 2, "rise": 2}


@pytest.fixture
def sick_pool(make_origin, make_proxy):
    """Four servers that serve; those in `sick` fail their checks."""
    sick = set()

    def behave(name):
        def answer(conn, request):
            if name in sick and request.target == "/health":
                return reset()(conn, request)
            return named(name)(conn, request)
        return answer

    def make(**pool):
        proxy = make_proxy({name: make_origin(behave(name)) for name in ("s1", "s2", "s3", "s4")},
                           pool={"health_check": CHECK, "slow_start": "0s", **pool}, process={"workers": 1})
        proxy.wait_for(lambda: all(server["oper"]["health"] == "up" for server in proxy.pool()["servers"]))
        return proxy, sick
    return make


def fall_ill(proxy, sick, *names):
    sick.update(names)
    for name in names:
        proxy.wait_event("server-down", server=name)


def test_half_of_them_is_enough(sick_pool):
    proxy, sick = sick_pool()
    fall_ill(proxy, sick, "s1", "s2")
    load = Load(proxy.address, 2, 100).run()
    assert load.statuses == {200: 100} and set(load.bodies) == {"s3", "s4"}
    assert proxy.pool()["state"] == "degraded" and not proxy.log_events("pool-panic")


def test_below_that_all_are_used(sick_pool):
    proxy, sick = sick_pool()
    fall_ill(proxy, sick, "s1", "s2", "s3")
    proxy.wait_event("pool-panic", pool="app")
    load = Load(proxy.address, 2, 100).run()
    assert load.statuses == {200: 100} and load.bodies == {"s1": 25, "s2": 25, "s3": 25, "s4": 25}
    assert proxy.pool()["state"] == "panic" and proxy.pool()["panic"] is True
    sick.clear()
    proxy.wait_event("pool-calm", pool="app")


def test_or_the_requests_fail(sick_pool):
    proxy, sick = sick_pool(panic_mode="fail")
    fall_ill(proxy, sick, "s1", "s2", "s3")
    proxy.wait_event("pool-panic", pool="app")
    load = Load(proxy.address, 2, 20).run()
    assert load.statuses == {503: 20}
    assert proxy.pool()["state"] == "down"
    sick.clear()
    proxy.wait_event("pool-calm", pool="app")
    assert Load(proxy.address, 2, 20).run().statuses == {200: 20}


def test_0_percent_means_never(sick_pool):
    proxy, sick = sick_pool(panic_percent=0)
    fall_ill(proxy, sick, "s1", "s2", "s3")
    load = Load(proxy.address, 2, 50).run()
    assert load.statuses == {200: 50} and set(load.bodies) == {"s4"}
    fall_ill(proxy, sick, "s4")
    assert Load(proxy.address, 2, 10).run().statuses == {503: 10}
    assert proxy.pool()["state"] == "down" and not proxy.log_events("pool-panic")
