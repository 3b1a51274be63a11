"""An order with an end is taken back when its time is over, also when that comes during a stop."""
import pytest
from support.client import get
from support.origin import named


@pytest.fixture
def proxy(make_origin, make_enforced):
    return make_enforced([make_origin(named(f"s{i}")) for i in (1, 2, 3)])


def order(proxy, **fields):
    answer = proxy.as_("bob").put("/v1/pools/app/servers/s1/state", fields)
    assert answer.status == 200, answer.body
    return answer.json()["admin"]


def ready(proxy):
    return proxy.server("s1")["admin"]["state"] == "ready"


def test_it_ends(proxy):
    assert order(proxy, state="drain", expires="2s")["expires"] is not None
    assert not ready(proxy)
    proxy.wait_for(lambda: ready(proxy), what="the drain to end")
    assert proxy.server("s1")["admin"]["by"] is None
    proxy.wait_for(lambda: get(proxy.address).body == b"s1", what="s1 to answer")
    events = [record["event"] for record in proxy.as_("dan").get("/v1/audit?from_seq=0&limit=200").json()["records"]]
    assert "override.expired" in events


def test_it_ends_during_a_stop(proxy):
    order(proxy, state="drain", expires="1s")
    proxy.stop()
    proxy.start()
    proxy.wait_for(lambda: ready(proxy), what="the drain to end")


def test_a_longer_one_takes_its_place(proxy):
    first = order(proxy, state="drain", expires="1s")["expires"]
    second = order(proxy, state="drain", expires="1h")["expires"]
    assert second > first
    third = order(proxy, state="ready")
    assert third["expires"] is None and third["state"] == "ready"
