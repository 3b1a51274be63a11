"""max_share_percent is a hard ceiling, whatever the method; the rest goes to others, and an event tells."""
import pytest

from support.load import Load, QuickOrigin


@pytest.fixture(scope="module")
def origins():
    started = {name: QuickOrigin(name) for name in ("s1", "s2", "s3")}
    yield started
    for origin in started.values():
        origin.stop()


def unlimited(make_proxy, servers, **pool):
    return make_proxy(servers, pool=pool, process={"workers": 2}, listener={"keepalive_requests": "unlimited"})


@pytest.mark.race
@pytest.mark.parametrize("method", ["round_robin", "least_requests", "random", "peak_ewma", "maglev"])
def test_for_any_method(make_proxy, origins, method):
    servers = {"s1": {"address": origins["s1"].address, "weight": 800}, "s2": {"address": origins["s2"].address},
               "s3": {"address": origins["s3"].address}}
    proxy = unlimited(make_proxy, servers, balance=method, max_share_percent=40)
    load = Load(proxy.address, 8, 3000).run()
    assert load.statuses == {200: 3000}
    assert max(load.bodies.values()) <= 0.41 * 3000, load.bodies
    assert load.bodies["s1"] >= 0.33 * 3000, load.bodies
    metrics = proxy.metrics()
    assert metrics.value("twokey_pool_spills_total", pool="app") > 100
    event = proxy.wait_event("share-ceiling", pool="app")
    assert event["spills"] > 0


def test_one_event_tells_of_many_spills(make_proxy, origins):
    servers = {"s1": {"address": origins["s1"].address, "weight": 900}, "s2": {"address": origins["s2"].address}}
    proxy = unlimited(make_proxy, servers, max_share_percent=60)
    Load(proxy.address, 4, seconds=2.5).run()
    proxy.wait_event("share-ceiling")
    assert len(proxy.log_events("share-ceiling")) <= 2


def test_a_ceiling_that_leaves_nobody_refuses_the_rest(make_proxy, origins):
    proxy = unlimited(make_proxy, {"s1": origins["s1"]}, max_share_percent=50)
    load = Load(proxy.address, 2, 1000).run()
    assert set(load.statuses) == {200, 503} and abs(load.statuses[200] - 500) < 30, load.statuses


def test_healthy_backups_take_what_is_above(make_proxy, origins):
    servers = {"s1": {"address": origins["s1"].address}, "s2": {"address": origins["s2"].address, "backup": True}}
    proxy = unlimited(make_proxy, servers, max_share_percent=70)
    load = Load(proxy.address, 2, 1000).run()
    assert load.statuses == {200: 1000} and 660 <= load.bodies["s1"] <= 710, load.bodies


def test_sticky_clients_are_no_exception(make_proxy, origins):
    from support.client import get
    proxy = unlimited(make_proxy, {"s1": origins["s1"], "s2": origins["s2"]}, max_share_percent=60, sticky={"cookie": "tk"})
    cookie = get(proxy.address).header("set-cookie").split(";")[0]
    load = Load(proxy.address, 4, 2000, headers={"Cookie": cookie}).run()
    assert load.statuses == {200: 2000} and max(load.bodies.values()) <= 0.62 * 2000, load.bodies


def test_no_event_where_nothing_spills(make_proxy, origins):
    proxy = unlimited(make_proxy, {"s1": origins["s1"], "s2": origins["s2"], "s3": origins["s3"]}, max_share_percent=50)
    Load(proxy.address, 4, 1000).run()
    assert proxy.metrics().value("twokey_pool_spills_total", pool="app") == 0
    assert not proxy.log_events("share-ceiling")
