"""A listener on a Unix socket serves like any other."""
import threading

import pytest

from support.client import Client, build
from support.origin import CLOSE, before_body, echo, ok, stall, tunnel


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "s")


def test_it_serves(make_proxy, make_origin, path):
    origin = make_origin(echo())
    make_proxy(origin, config={"listeners": {"local": {"address": f"unix:{path}"}}})
    for _ in range(20):
        with Client(path) as client:
            assert client.request("POST", body=b"x" * 100_000).body == b"x" * 100_000
            assert client.request("POST", body=b"y").body == b"y"
            client.half_close()
            assert client.wait_closed()
    assert origin.heads[0].header("x-forwarded-for") == "unknown"


def test_a_tunnel(make_proxy, make_origin, path):
    make_proxy(make_origin(tunnel()), config={"listeners": {"local": {"address": f"unix:{path}"}}})
    with Client(path) as client:
        client.send(build("GET", "/", [("Connection", "Upgrade"), ("Upgrade", "test")]))
        assert client.response().status == 101
        client.send(b"abc")
        assert client.take(3) == b"abc"
        client.half_close()
        assert client.wait_closed()


def test_a_client_that_leaves_while_reading_is_paused(make_proxy, make_origin, path):
    gone = threading.Event()

    @before_body
    def behave(conn, _request):
        gone.wait(15)
        return CLOSE
    proxy = make_proxy(make_origin(behave, keep=False), config={"listeners": {"local": {"address": f"unix:{path}"}}})
    client = Client(path, timeout=1)
    client.send(build("POST", "/", [("Content-Length", str(1 << 30))]))
    try:
        while True:
            client.send(b"x" * 65536)
    except TimeoutError:
        pass
    client.close()
    proxy.wait_for(lambda: proxy.metrics().value("twokey_server_in_flight") == 0, timeout=5)
    gone.set()


def test_a_stop_and_a_start_on_the_same_path(make_proxy, make_origin, path):
    origin = make_origin({"/stall": stall(), "*": ok(b"again")})
    for _ in range(2):
        proxy = make_proxy(origin, config={"listeners": {"local": {"address": f"unix:{path}"}}},
                           process={"shutdown_timeout": "1s"})
        with Client(path) as client:
            assert client.request().body == b"again"
            client.send(build("GET", "/stall"))
            proxy.stop()
            assert client.wait_closed()
