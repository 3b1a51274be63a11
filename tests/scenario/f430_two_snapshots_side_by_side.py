"""What both arms share stays right while a change is tried: the queue, names, idle connections, slow starts."""
import ssl
import threading

import pytest

from support.client import Client, build, get
from support.names import Names
from support.origin import named
from support.tls import server_context, tls_pool

HOUR = [{"percent": 50, "for": "10m"}]


def try_it(proxy, patch):
    change = proxy.as_("ann").submit(patch, rollout=HOUR)
    proxy.approve_fully(change)
    return proxy.as_("ann").apply(change)


def held(permits):
    def behave(conn, request):
        assert permits.acquire(timeout=30)
        return named("held")(conn, request)
    return behave


@pytest.mark.race
@pytest.mark.parametrize("workers", [1, 4])
def test_one_queue_serves_both(make_origin, make_enforced, workers):
    """The share may have five at once, the rest one; whoever waits is served as places come free."""
    permits = threading.Semaphore(0)
    origin = make_origin({"/held": held(permits), "/": named("quick")})
    proxy = make_enforced({"s1": {"address": origin.address, "max_connections": 1}}, process={"workers": workers},
                          pool={"queue": {"timeout": "20s", "length": 1000}})
    try_it(proxy, {"pools": {"app": {"servers": {"s1": {"max_connections": 5}}}}})
    clients = [Client(proxy.address, timeout=20) for _ in range(30)]
    for client in clients:
        client.send(build(target="/held"))
    proxy.wait_for(lambda: proxy.metrics().value("twokey_pool_in_flight", pool="app") == 5)
    assert proxy.metrics().value("twokey_pool_queue_length", pool="app") == 25
    permits.release(30)
    assert [client.response().body for client in clients] == [b"held"] * 30
    assert proxy.metrics().value("twokey_pool_queue_length", pool="app") == 0
    assert [get(proxy.address).status for _ in range(20)] == [200] * 20


def test_a_server_that_only_the_share_has_is_found_though_others_wait(make_origin, make_enforced):
    """One of the rest waits, at one worker; whoever is in the share does not stand behind him at the others."""
    permits = threading.Semaphore(0)
    old, new = make_origin({"/held": held(permits), "/": named("old")}), make_origin(named("new"))
    proxy = make_enforced({"s1": {"address": old.address, "max_connections": 1}}, process={"workers": 4},
                          pool={"queue": {"timeout": "20s"}, "slow_start": "0s"})
    try_it(proxy, {"pools": {"app": {"servers": {"s2": {"address": new.address}}}},
                   "routes": {"everything": {"response_headers": {"set": {"X-Arm": "share"}}}}})
    clients = [Client(proxy.address, timeout=5) for _ in range(32)]
    share = [client for client in clients if client.request(target="/").header("X-Arm")]
    first, second = [client for client in clients if client not in share][:2]
    first.send(build(target="/held"))
    proxy.wait_for(lambda: proxy.metrics().value("twokey_pool_in_flight", pool="app") == 1)
    second.send(build(target="/held"))
    proxy.wait_for(lambda: proxy.metrics().value("twokey_pool_queue_length", pool="app") == 1)
    assert [client.request(target="/").body for client in share] == [b"new"] * len(share) and share
    permits.release(2)
    assert [first.response().body, second.response().body] == [b"held"] * 2


def test_idle_connections_to_what_only_the_share_had_end_with_it(make_origin, make_enforced):
    old, new = make_origin(named("old")), make_origin(named("new"))
    proxy = make_enforced([old])
    change = try_it(proxy, {"pools": {"next": {"servers": {"n1": {"address": new.address}}}}, "routes": {"everything": {"pool": "next"}}})
    assert {get(proxy.address).body for _ in range(60)} == {b"old", b"new"}
    proxy.wait_for(lambda: proxy.metrics().value("twokey_server_connections_idle", server="n1") > 0)
    assert proxy.metrics().value("twokey_server_connections_reused_total", server="n1") > 0
    assert proxy.as_("bob").post(f"/v1/changes/{change['id']}/cancel").status == 200
    proxy.wait_for(lambda: proxy.metrics().value("twokey_server_connections_idle", server="n1") == 0)
    assert proxy.metrics().value("twokey_server_connections_idle", server="s1") > 0


def test_each_keeps_its_own_connections_where_they_trust_otherwise(make_origin, make_enforced, authority):
    """In TLS 1.3 the origin would say something more on an idle connection (tickets); one where something waits to be read is not used."""
    certificate = authority.certificate("origin", "localhost", ip="127.0.0.1")
    origin = make_origin(named("old"), tls=server_context(certificate, version=ssl.TLSVersion.TLSv1_2))
    tls = tls_pool(authority)
    tls["process"]["workers"] = 1
    proxy = make_enforced([origin], **tls)
    try_it(proxy, {"pools": {"app": {"tls": {"sni": "localhost"}}},
                   "routes": {"everything": {"response_headers": {"set": {"X-Arm": "share"}}}}})
    clients = [Client(proxy.address) for _ in range(32)]
    arms = {client.request(target="/").header("X-Arm"): client for client in clients}
    assert len(arms) == 2
    for _ in range(10):
        for client in arms.values():
            assert client.request(target="/").status == 200
    assert proxy.metrics().value("twokey_server_connections_total", server="s1") == 2


def test_servers_of_the_share_are_checked(make_origin, make_enforced):
    """The one that fails its check gets nothing, from the first request on."""
    old, well, ill = make_origin(named("old")), make_origin(named("well")), make_origin({"/": named("ill"), "/healthz": lambda conn, request: None})
    proxy = make_enforced([old])
    try_it(proxy, {"pools": {"next": {"servers": {"n1": {"address": well.address}, "n2": {"address": ill.address}},
                                      "health_check": {"path": "/healthz", "interval": "200ms", "timeout": "100ms", "fall": 1}}},
                   "routes": {"everything": {"pool": "next"}}})
    proxy.wait_for(lambda: {get(proxy.address).body for _ in range(30)} == {b"old", b"well"})
    assert {get(proxy.address).body for _ in range(60)} == {b"old", b"well"}


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_names_of_both_are_followed(make_origin, make_enforced):
    for _ in range(20):
        first = make_origin(named("one"))
        try:
            second = make_origin(named("two"), address=f"127.0.0.2:{first.port}")
            break
        except OSError:
            continue
    else:
        pytest.skip("127.0.0.2 cannot be bound here")
    old = make_origin(named("old"))
    with Names() as names:
        names.set("app.test", "127.0.0.1")
        proxy = make_enforced([old], env=names.env)
        try_it(proxy, {"pools": {"next": {"servers": {"n1": {"address": f"app.test:{first.port}"}}, "slow_start": "0s"}},
                       "routes": {"everything": {"pool": "next"}}})
        assert {get(proxy.address).body for _ in range(60)} == {b"old", b"one"}
        generation = proxy.status()["running"]["generation"]
        names.set("app.test", "127.0.0.2")
        proxy.wait_for(lambda: proxy.status()["running"]["generation"] > generation, 30)
        proxy.wait_for(lambda: {get(proxy.address).body for _ in range(60)} == {b"old", b"two"})
        assert proxy.metrics().value("twokey_canary_percent") == 50 and second.heads
        proxy.wait_for(lambda: proxy.metrics().value("twokey_snapshots_alive") == 2)
