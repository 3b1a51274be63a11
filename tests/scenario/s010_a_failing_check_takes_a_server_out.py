"""A server that fails its HTTP checks gets no requests, and comes back after `rise` successes."""
from support.health import CHECK, Switch, checked, served_by
from support.origin import ok, raw, stall

GONE = ok(status=503)


def start(make_origin, make_proxy, switch, **pool):
    origins = [make_origin(checked("s1", Switch())), make_origin(checked("s2", switch))]
    proxy = make_proxy(origins, pool={"health_check": CHECK, "slow_start": "0s", **pool})
    proxy.wait_event("server-up", server="s1")
    proxy.wait_event("server-up", server="s2")
    return proxy


def test_down_by_status_and_up_again(make_origin, make_proxy):
    switch = Switch()
    proxy = start(make_origin, make_proxy, switch)
    assert set(served_by(proxy.address, 20)) == {"s1", "s2"}
    switch.now = GONE
    event = proxy.wait_event("server-down", server="s2")
    assert (event["pool"], event["status"], event["failures"]) == ("app", 503, 2)
    assert served_by(proxy.address, 20) == {"s1": 20}
    told = proxy.server("s2")
    assert told["oper"]["health"] == "down" and not told["oper"]["eligible"]
    assert told["addresses"][0]["last_check"] == event["why"]
    switch.now = ok()
    proxy.wait_event("server-up", server="s2", nth=2)
    assert set(served_by(proxy.address, 20)) == {"s1", "s2"}


def test_down_by_silence(make_origin, make_proxy):
    switch = Switch()
    proxy = start(make_origin, make_proxy, switch)
    switch.now = stall()
    assert proxy.wait_event("server-down", server="s2")["why"] == "no whole answer in time"
    assert served_by(proxy.address, 10) == {"s1": 10}


def test_down_by_something_that_is_not_http(make_origin, make_proxy):
    switch = Switch()
    proxy = start(make_origin, make_proxy, switch)
    switch.now = raw(b"SSH-2.0-OpenSSH_9\r\n")
    assert proxy.wait_event("server-down", server="s2")["why"] == "the answer is not HTTP/1.x"


def test_only_failures_in_a_row_count(make_origin, make_proxy):
    """Two of three failing, again and again, is not down when fall is 3."""
    said = ([ok()] + [GONE, GONE, ok()] * 3 + [GONE] * 1000)
    turn = iter(said)
    switch = Switch(lambda conn, request: next(turn)(conn, request))
    proxy = start(make_origin, make_proxy, switch, health_check={**CHECK, "fall": 3})
    event = proxy.wait_event("server-down", server="s2")
    assert event["failures"] == 3
    assert len(switch.times) >= 13
    assert len(proxy.log_events("server-down")) == 1


def test_the_expected_statuses_are_configurable(make_origin, make_proxy):
    switch = Switch(ok(status=404))
    proxy = start(make_origin, make_proxy, switch, health_check={**CHECK, "expect_status": "200,404"})
    switch.now = ok(status=302)
    proxy.wait_event("server-down", server="s2", status=302)
