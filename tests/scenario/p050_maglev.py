"""The same server for the same hash, and only the keys of a server that leaves move."""
import pytest

from support.client import Client
from support.load import QuickOrigin

KEYS = 400


@pytest.fixture(scope="module")
def origins():
    started = {f"s{i}": QuickOrigin(f"s{i}") for i in range(1, 6)}
    yield started
    for origin in started.values():
        origin.stop()


ASK = {
    "client_ip": lambda key: {"headers": {"X-Forwarded-For": f"10.1.{key // 250}.{key % 250}"}},
    "header:X-User": lambda key: {"headers": {"x-user": f"user-{key}"}},
    "cookie:sid": lambda key: {"headers": {"Cookie": f"a=b; sid=v{key}; z=y"}},
    "path": lambda key: {"target": f"/item/{key}?x={key % 3}"},
    "uri": lambda key: {"target": f"/item?x={key}"},
}


def where(proxy, ask):
    with Client(proxy.address) as client:
        return {key: client.request(**ask(key)).body for key in range(KEYS)}


def pool_of(origins, kind, **more):
    return {"balance": "maglev", "hash_on": kind, **more}


def maglev(make_proxy, origins, kind, **more):
    return make_proxy(origins, pool=pool_of(origins, kind, **more), process={"workers": 2},
                      listener={"trusted_proxies": ["127.0.0.1"], "keepalive_requests": "unlimited"})


@pytest.mark.parametrize("kind", list(ASK))
def test_each_kind_of_key(make_proxy, origins, kind):
    proxy = maglev(make_proxy, origins, kind)
    first = where(proxy, ASK[kind])
    assert len(set(first.values())) == 5
    counts = [list(first.values()).count(name.encode()) for name in origins]
    assert min(counts) > KEYS / 5 * 0.6, counts
    assert where(proxy, ASK[kind]) == first
    again = maglev(make_proxy, origins, kind)
    assert where(again, ASK[kind]) == first, "another process hashes otherwise"


def test_the_path_counts_without_its_query(make_proxy, origins):
    proxy = maglev(make_proxy, origins, "path")
    with Client(proxy.address) as client:
        assert len({client.request(target=f"/same?x={i}").body for i in range(20)}) == 1


def test_requests_without_a_key_are_spread(make_proxy, origins):
    proxy = maglev(make_proxy, origins, "header:x-user")
    with Client(proxy.address) as client:
        assert len({client.request().body for i in range(100)}) == 5


def moved(before, after, gone):
    return [key for key in before if before[key] != gone and before[key] != after[key]]


def test_a_server_that_is_drained_moves_its_own_keys_only(make_proxy, origins):
    proxy = maglev(make_proxy, origins, "uri")
    before = where(proxy, ASK["uri"])
    proxy.config["pools"]["app"]["servers"]["s2"]["state"] = "drain"
    assert proxy.reload().status == 200
    after = where(proxy, ASK["uri"])
    assert moved(before, after, b"s2") == [] and b"s2" not in after.values()
    proxy.config["pools"]["app"]["servers"]["s2"]["state"] = "ready"
    assert proxy.reload().status == 200
    assert where(proxy, ASK["uri"]) == before


def test_a_server_that_dies_moves_its_own_keys_only(make_proxy, origins):
    doomed = QuickOrigin("s6")
    proxy = maglev(make_proxy, {**origins, "s6": doomed}, "uri", ejection={"consecutive_failures": 2})
    before = where(proxy, ASK["uri"])
    doomed.kill9()
    where(proxy, ASK["uri"])
    proxy.wait_event("server-ejected", server="s6")
    after = where(proxy, ASK["uri"])
    assert moved(before, after, b"s6") == [] and b"s6" not in after.values()
    doomed.stop()


def test_a_server_taken_out_of_the_configuration_moves_few_others(make_proxy, origins):
    proxy = maglev(make_proxy, origins, "uri")
    before = where(proxy, ASK["uri"])
    del proxy.config["pools"]["app"]["servers"]["s3"]
    assert proxy.reload().status == 200
    after = where(proxy, ASK["uri"])
    assert len(moved(before, after, b"s3")) < KEYS * 0.05 and b"s3" not in after.values()


def test_the_order_and_addresses_of_servers_do_not_matter(make_proxy, origins):
    proxy = maglev(make_proxy, origins, "uri")
    before = where(proxy, ASK["uri"])
    turned = dict(reversed(list(origins.items())))
    assert where(maglev(make_proxy, turned, "uri"), ASK["uri"]) == before


def test_one_hot_key_does_not_drown_its_server(make_proxy):
    """Bounded load: what is above 150 % of the mean goes on to another."""
    from support.load import Load
    slow = {f"s{i}": QuickOrigin(f"s{i}", delay=0.02) for i in range(1, 5)}
    try:
        proxy = make_proxy(slow, pool=pool_of(slow, "header:x-user"), process={"workers": 1})
        load = Load(proxy.address, 40, 1200, headers={"x-user": "hot"}).run()
        assert load.statuses == {200: 1200}
        assert max(load.bodies.values()) < 0.55 * 1200, load.bodies
    finally:
        for origin in slow.values():
            origin.stop()
