"""A server is killed under load: its share moves to the others and no idempotent request fails."""
import pytest

from support.load import Load, QuickOrigin

NAMES = ("s1", "s2", "s3", "s4")


@pytest.fixture
def origins():
    started = {name: QuickOrigin(name) for name in NAMES}
    yield started
    for origin in started.values():
        origin.stop()


CHECK = {"path": "/", "interval": "2s", "fast_interval": "100ms", "timeout": "2s", "fall": 2, "rise": 2}


@pytest.mark.race
@pytest.mark.parametrize("method", ["round_robin", "least_requests", "random", "peak_ewma", "maglev"])
@pytest.mark.parametrize("check", [None, CHECK], ids=["passive", "checked"])
def test_no_request_fails(make_proxy, origins, method, check):
    pool = {"balance": method, **({"health_check": check} if check else {})}
    if method == "maglev":
        pool["hash_on"] = "header:x-none"  # without a value: spread at random
    proxy = make_proxy(origins, pool=pool, listener={"keepalive_requests": "unlimited"})
    load = Load(proxy.address, connections=40, total=8000).start()
    load.wait_done(2000)
    origins["s2"].kill9()
    before = dict(load.bodies)
    load.join()
    assert load.statuses == {200: 8000} and not load.broken, (load.statuses, load.broken)
    after = {name: load.bodies[name] - before.get(name, 0) for name in NAMES}
    assert after["s2"] < 300
    others = sum(after[name] for name in NAMES if name != "s2")
    if method == "round_robin":
        assert all(abs(after[name] / others - 1 / 3) < 0.02 for name in NAMES if name != "s2"), after
    assert all(after[name] > 0.03 * others for name in NAMES if name != "s2"), after


def test_many_connections(make_proxy, origins):
    proxy = make_proxy(origins, listener={"keepalive_requests": "unlimited"})
    load = Load(proxy.address, connections=200, total=10000).start()
    load.wait_done(3000)
    origins["s3"].kill9()
    load.join()
    assert load.statuses == {200: 10000} and not load.broken, (load.statuses, load.broken)


def test_it_gets_its_share_back(make_proxy, origins):
    proxy = make_proxy(origins, pool={"health_check": CHECK, "slow_start": "0s", "ejection": {"base_time": "1s", "max_time": "1s"}}, listener={"keepalive_requests": "unlimited"})
    load = Load(proxy.address, connections=8).start()
    load.wait_done(500)
    origins["s1"].kill9()
    proxy.wait_event("server-down", server="s1")
    origins["s1"].start()
    proxy.wait_event("server-up", server="s1")
    proxy.wait_for(lambda: proxy.server("s1")["oper"]["eligible"])
    before, at = load.bodies["s1"], load.done
    load.wait_done(at + 3000)
    load.stop()
    assert set(load.statuses) == {200} and not load.broken
    assert (load.bodies["s1"] - before) / (load.done - at) > 0.2
