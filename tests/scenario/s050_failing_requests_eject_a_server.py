"""A server that fails requests in a row is left out for a while: never too many, never the last."""
import pytest
from support.client import Client
from support.health import Switch, served_by
from support.origin import named, ok, reset

EJECTION = {"consecutive_failures": 3, "base_time": "1s", "max_time": "2s", "max_percent": 50}
POOL = {"ejection": EJECTION, "slow_start": "0s", "retry": {"attempts": 2, "budget_percent": 100, "min_per_second": 1000}}


def ask(proxy, count):
    with Client(proxy.address) as client:
        return [client.request().status for _ in range(count)]


def test_it_is_ejected_and_returns(make_origin, make_proxy):
    switch = Switch(reset())
    proxy = make_proxy([make_origin(named("s1")), make_origin(switch)], pool=POOL)
    assert set(ask(proxy, 20)) == {200}
    event = proxy.wait_event("server-ejected", server="s2")
    assert (event["pool"], event["in_a_row"]) == ("app", 1) and 1000 <= event["for_ms"] <= 1100
    assert proxy.server("s2")["oper"]["ejected"]
    asked = len(switch.times)
    switch.now = named("s2")
    assert served_by(proxy.address, 10) == {"s1": 10} and len(switch.times) == asked
    proxy.wait_event("server-returned", server="s2")
    assert set(served_by(proxy.address, 20)) == {"s1", "s2"}


def test_again_is_longer(make_origin, make_proxy):
    proxy = make_proxy([make_origin(named("s1")), make_origin(reset())], pool=POOL)
    proxy.wait_for(lambda: ask(proxy, 10) and [e["in_a_row"] for e in proxy.log_events("server-ejected")][:2] == [1, 2])
    assert 2000 <= proxy.log_events("server-ejected")[1]["for_ms"] <= 2200


def test_half_of_the_pool_at_most(make_origin, make_proxy):
    long = {**POOL, "ejection": {**EJECTION, "base_time": "60s", "max_time": "60s"}}
    proxy = make_proxy([make_origin(named("s1"))] + [make_origin(reset()) for _ in range(3)], pool=long)
    proxy.wait_for(lambda: ask(proxy, 20) and len(proxy.log_events("server-ejected")) >= 2)
    ask(proxy, 60)
    assert len(proxy.log_events("server-ejected")) == 2


def test_never_the_last(make_origin, make_proxy):
    switch = Switch(ok(status=503))
    proxy = make_proxy([make_origin(switch)], pool=POOL)
    assert set(ask(proxy, 30)) == {503}
    switch.now = named("s1")
    assert served_by(proxy.address, 5) == {"s1": 5}
    assert not proxy.log_events("server-ejected")


@pytest.mark.parametrize("method", ["round_robin", "least_requests", "random", "peak_ewma", "maglev"])
def test_for_any_method(make_origin, make_proxy, method):
    """A fast-failing server does not attract traffic."""
    long = {**POOL, "balance": method, "hash_on": "uri", "ejection": {**EJECTION, "base_time": "60s", "max_time": "60s"}}
    switch = Switch(ok(status=503))
    proxy = make_proxy([make_origin(named("s1")), make_origin(named("s2")), make_origin(switch)], pool=long)

    def spread(count):
        with Client(proxy.address) as client:
            return [client.request(target=f"/{number}").status for number in range(count)]

    proxy.wait_for(lambda: spread(50) and proxy.log_events("server-ejected"))
    asked = len(switch.times)
    assert set(spread(50)) == {200}
    assert len(switch.times) == asked


def test_zero_failures_turns_it_off(make_origin, make_proxy):
    proxy = make_proxy([make_origin(named("s1")), make_origin(reset())],
                       pool={**POOL, "ejection": {"consecutive_failures": 0}})
    assert set(ask(proxy, 40)) == {200}
    assert not proxy.log_events("server-ejected")
