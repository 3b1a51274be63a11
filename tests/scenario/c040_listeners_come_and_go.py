"""A reload may add, remove, rename, move and exchange listeners; those that stay lose no connection."""
import os
import socket
import time

import pytest

from support.client import Client, build, get
from support.load import Load
from support.origin import named
from support.proxy import free_port


def free():
    return f"127.0.0.1:{free_port()}"


def refused(address):
    host, _, port = address.rpartition(":")
    with socket.socket() as sock:
        return sock.connect_ex((host, int(port))) != 0


def reload(proxy, listeners):
    proxy.config["listeners"] = {name: {"address": address} for name, address in listeners.items()}
    return proxy.reload()


def test_one_is_added_and_removed(make_proxy, origin):
    proxy = make_proxy(origin, process={"workers": 4})
    web, more = proxy.address, free()
    assert reload(proxy, {"web": web, "more": more}).status == 200
    for _ in range(10):
        assert get(more).status == 200
    with Client(more) as idle:
        assert idle.request().status == 200
        assert reload(proxy, {"web": web}).status == 200
        assert idle.wait_closed()
    proxy.wait_for(lambda: refused(more))
    assert get(web).status == 200
    assert reload(proxy, {"web": web, "more": more}).status == 200
    assert get(more).status == 200


def test_another_order_closes_nothing(make_proxy, origin):
    proxy = make_proxy(origin)
    web, more = proxy.address, free()
    assert reload(proxy, {"web": web, "more": more}).status == 200
    with Client(web) as one, Client(more) as two:
        assert (one.request().status, two.request().status) == (200, 200)
        for order in ({"more": more, "web": web}, {"web": web, "more": more}):
            assert reload(proxy, order).status == 200
            assert (one.request().status, two.request().status) == (200, 200)


def test_a_new_name_for_the_same_address(make_proxy, origin):
    proxy = make_proxy(origin)
    web = proxy.address
    idle = Client(web)
    assert idle.request().status == 200
    load = Load(web, 6, per_connection=1).start()
    for name in ("front", "web", "front"):
        load.wait_done(load.done + 20)
        answer = reload(proxy, {name: web})
        assert answer.status == 200, answer.body
    load.wait_done(load.done + 20)
    load.stop()
    assert set(load.statuses) == {200} and not load.broken, (load.statuses, load.broken)
    metrics = proxy.metrics()
    assert metrics.value("twokey_listener_requests_total", listener="front") >= 20
    assert metrics.value("twokey_listener_requests_total", listener="web") >= 40
    proxy.wait_for(lambda: proxy.metrics().value("twokey_listener_connections_open", listener="front") == 1)
    assert proxy.metrics().value("twokey_listener_connections_open", listener="web") == 0
    assert proxy.metrics().value("twokey_listener_connections_idle", listener="front") == 1
    assert idle.request().status == 200
    idle.close()


def test_two_listeners_exchange_their_addresses(make_proxy, make_origin):
    a, b = free(), free()
    pools = {name: {"servers": {"s1": {"address": make_origin(named(name)).address}}} for name in ("one", "two")}
    proxy = make_proxy([], config={
        "listeners": {"web": None, "one": {"address": a}, "two": {"address": b}}, "pools": {"app": None, **pools},
        "routes": {"everything": None, "r1": {"listeners": ["one"], "pool": "one"}, "r2": {"listeners": ["two"], "pool": "two"}}})
    assert (get(a).body, get(b).body) == (b"one", b"two")
    answer = reload(proxy, {"one": b, "two": a})
    assert answer.status == 200, answer.body
    assert (get(a).body, get(b).body) == (b"two", b"one")


def test_from_every_address_to_one_and_back(make_proxy, origin):
    port = free_port()
    proxy = make_proxy(origin, listener={"address": f"0.0.0.0:{port}"})
    for address in (f"127.0.0.1:{port}", f"0.0.0.0:{port}", f"127.0.0.1:{port}"):
        answer = reload(proxy, {"web": address})
        assert answer.status == 200, answer.body
        assert get(f"127.0.0.1:{port}").status == 200


def test_a_unix_socket(make_proxy, origin, tmp_path):
    path = str(tmp_path / "in.sock")
    proxy = make_proxy(origin, process={"workers": 3})

    def ask():
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(10)
            sock.connect(path)
            sock.sendall(build(headers={"Connection": "close"}))
            return sock.recv(4096)

    web = proxy.address
    assert reload(proxy, {"web": web, "local": f"unix:{path}"}).status == 200
    assert [ask()[:12] for _ in range(6)] == [b"HTTP/1.1 200"] * 6
    assert reload(proxy, {"web": web, "local": f"unix:{path}"}).status == 200
    assert ask().startswith(b"HTTP/1.1 200")
    assert reload(proxy, {"web": web}).status == 200
    with pytest.raises(OSError):
        for _ in range(100):
            ask()
            time.sleep(0.05)
    assert not os.path.exists(path)
    assert reload(proxy, {"web": web, "local": f"unix:{path}"}).status == 200
    assert ask().startswith(b"HTTP/1.1 200")


@pytest.mark.race
def test_connections_that_wait_to_be_accepted_are_not_lost(make_proxy, origin):
    """New connections all the time, a reload every few milliseconds that adds and removes another listener."""
    proxy = make_proxy(origin, process={"workers": 3})
    web, more = proxy.address, free()
    load = Load(web, 8, per_connection=1).start()
    load.wait_done(30)
    for turn in range(25):
        listeners = {"web": web, "more": more} if turn % 2 else {"web": web}
        assert reload(proxy, listeners).status == 200
    load.wait_done(load.done + 50)
    load.stop()
    assert set(load.statuses) == {200} and not load.broken, (load.statuses, load.broken)


def test_what_a_listener_allows_changes_in_place(make_proxy, origin):
    proxy = make_proxy(origin)
    with Client(proxy.address) as client:
        assert client.request("POST", body=b"x" * 100).status == 200
        proxy.config["listeners"]["web"]["limits"] = {"body": "10B"}
        assert proxy.reload().status == 200
        assert client.request("POST", body=b"x" * 100).status == 413
