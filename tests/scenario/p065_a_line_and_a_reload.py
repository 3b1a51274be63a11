"""A reload that makes room is felt at once by those who come then, and no wait is longer than it says."""
import threading

import pytest

from support.client import Client, build, get
from support.origin import named


def held(permits):
    def behave(conn, request):
        assert permits.acquire(timeout=30)
        return named("held")(conn, request)
    return behave


def waiting(proxy):
    return proxy.metrics().value("twokey_pool_queue_length", pool="app")


@pytest.mark.parametrize("workers", [1, 4])
def test_more_places(make_proxy, make_origin, workers):
    permits = threading.Semaphore(0)
    origin = make_origin({"/held": held(permits), "/quick": named("quick")})
    proxy = make_proxy({"s1": {"address": origin.address, "max_connections": 1}}, process={"workers": workers}, pool={"queue": {"timeout": "20s"}})
    first, second = Client(proxy.address), Client(proxy.address)
    first.send(build(target="/held"))
    origin.wait_for(lambda o: o.heads)
    second.send(build(target="/quick"))
    proxy.wait_for(lambda: waiting(proxy) == 1)
    proxy.config["pools"]["app"]["servers"]["s1"]["max_connections"] = 10
    assert proxy.reload().status == 200
    for _ in range(8):
        with Client(proxy.address, timeout=5) as late:
            assert late.request(target="/quick").body == b"quick"
    permits.release()
    assert first.response().body == b"held"
    assert second.response().body == b"quick"


@pytest.mark.parametrize("workers", [1, 4])
def test_another_server(make_proxy, make_origin, workers):
    permits = threading.Semaphore(0)
    origin, other = make_origin({"/held": held(permits)}), make_origin(named("other"))
    proxy = make_proxy({"s1": {"address": origin.address, "max_connections": 1}}, process={"workers": workers}, pool={"queue": {"timeout": "20s"}})
    first, second = Client(proxy.address), Client(proxy.address)
    first.send(build(target="/held"))
    origin.wait_for(lambda o: o.heads)
    second.send(build(target="/held"))
    proxy.wait_for(lambda: waiting(proxy) == 1)
    proxy.config["pools"]["app"]["servers"]["s2"] = {"address": other.address, "max_connections": 5}
    proxy.config["pools"]["app"]["slow_start"] = "0s"
    assert proxy.reload().status == 200
    for _ in range(8):
        with Client(proxy.address, timeout=5) as late:
            assert late.request().body == b"other"
    permits.release(2)
    assert first.response().status == 200 and second.response().status == 200


def test_the_pool_is_taken_away(make_proxy, make_origin):
    permits = threading.Semaphore(0)
    origin = make_origin(held(permits))
    proxy = make_proxy({"s1": {"address": origin.address, "max_connections": 1}}, pool={"queue": {"timeout": "20s"}})
    clients = [Client(proxy.address) for _ in range(5)]
    for client in clients:
        client.send(build())
    proxy.wait_for(lambda: waiting(proxy) == 4)
    config = proxy.config
    config["pools"] = {"x": {"servers": {"s1": {"address": origin.address}}}}
    config["routes"] = {"x": {"path": "/x", "pool": "x"}}
    assert proxy.reload().status == 200
    assert get(proxy.address).status == 404
    permits.release(5)
    assert [client.response().status for client in clients] == [200] * 5
    proxy.wait_for(lambda: proxy.metrics().value("twokey_snapshots_alive") == 1)
