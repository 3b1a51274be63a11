"""A reload takes a listener away: what runs on it ends whole, what has not begun ends at once."""
import threading

import pytest

from support.client import Client, build, get
from support.origin import ok
from support.proxy import free_port


@pytest.fixture
def held(make_origin):
    """An origin that answers the half of it, and the rest when told."""
    go = threading.Event()

    def behaviour(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        go.wait(20)
        conn.send(b"done")

    origin = make_origin({"/held": behaviour, "/": ok(b"ok")})
    origin.go = go
    return origin


@pytest.fixture
def config(held):
    return {
        "process": {"workers": 1},
        "admin": {"listen": f"127.0.0.1:{free_port()}"},
        "listeners": {"stays": {"address": f"127.0.0.1:{free_port()}"},
                      "goes": {"address": f"127.0.0.1:{free_port()}"}},
        "pools": {"app": {"servers": {"s1": {"address": held.address}}}},
        "routes": {"everything": {"pool": "app"}},
    }


@pytest.mark.race
def test_it_ends_in_order(start_proxy, config, held):
    proxy = start_proxy(config)
    address = ("127.0.0.1", int(config["listeners"]["goes"]["address"].split(":")[1]))
    stays = ("127.0.0.1", int(config["listeners"]["stays"]["address"].split(":")[1]))
    busy, idle, half = Client(address), Client(address), Client(address)
    busy.send(build("GET", "/held"))
    held.wait_requests(1)
    assert idle.request("GET", "/").status == 200
    half.send(b"GET / HTTP/1.1\r\nHost: half")
    proxy.wait_for(lambda: proxy.metrics().value("twokey_listener_connections_open", listener="goes") == 3)

    without = dict(config, listeners={"stays": config["listeners"]["stays"]})
    proxy.reload(without)
    assert idle.wait_closed()
    assert half.wait_closed()
    for _ in range(3):  # old snapshots go, one after the other
        proxy.reload(without)
    held.go.set()
    assert busy.response().body == b"halfdone"
    assert busy.wait_closed()
    assert get(stays, "/").status == 200
    with pytest.raises(ConnectionRefusedError):
        Client(address)
