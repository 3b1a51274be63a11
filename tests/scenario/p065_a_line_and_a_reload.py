"""A reload that makes room, or a server that comes back, is felt at once; nobody waits longer than he must."""
import threading

import pytest

from support.client import Client, build, get
from support.origin import named, reset


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
        with Client(proxy.address, timeout=10) as late:
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
        with Client(proxy.address, timeout=10) as late:
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


def test_a_server_comes_back(make_proxy, make_origin):
    """Nobody comes and nobody goes meanwhile: who waits must find out by himself."""
    permits = threading.Semaphore(0)
    sick = {"value": True}

    def behave(conn, request):
        if sick["value"]:
            return reset()(conn, request)
        return named("back")(conn, request)

    busy, back = make_origin({"/held": held(permits), "*": named("busy")}), make_origin(behave)
    check = {"path": "/health", "interval": "1s", "fast_interval": "100ms", "timeout": "1s", "fall": 1, "rise": 1}
    proxy = make_proxy({"busy": {"address": busy.address, "max_connections": 1}, "back": {"address": back.address}},
                       pool={"queue": {"timeout": "20s"}, "health_check": check, "slow_start": "0s", "panic_percent": 0})
    proxy.wait_event("server-down", server="back")
    with Client(proxy.address) as first, Client(proxy.address) as second:
        first.send(build(target="/held"))
        busy.wait_for(lambda o: any(head.target == "/held" for head in o.heads))
        second.send(build(target="/x"))
        proxy.wait_for(lambda: waiting(proxy) == 1)
        sick["value"] = False
        assert second.response().body == b"back"
        permits.release()
        assert first.response().body == b"held"
