"""A client that goes away frees its server; one that only stops writing is served on."""
import threading
import time

import pytest

from support.client import Client, build
from support.origin import CLOSE, after, before_body, ok, response, stall


def left(origin, proxy, within=3.0):
    began = time.monotonic()
    origin.wait_for(lambda o: not o.open_connections(), timeout=10)
    assert time.monotonic() - began < within
    proxy.wait_for(lambda: proxy.metrics().value("twokey_server_in_flight") == 0)
    assert proxy.access_log(1)[0]["failure"] == "client-left"


def test_half_close_is_no_abort(make_proxy, make_origin):
    proxy = make_proxy(make_origin(after(0.5, ok(b"patience"))))
    with Client(proxy.address) as client:
        client.send(build())
        client.half_close()
        assert client.response().body == b"patience"
        assert client.wait_closed()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_reset_while_the_server_thinks(make_proxy, make_origin, method):
    origin = make_origin(stall())
    proxy = make_proxy(origin)
    client = Client(proxy.address)
    client.send(build(method, "/", None, b"abc" if method == "POST" else None))
    origin.wait_requests(1)
    client.reset()
    left(origin, proxy)


def test_a_reset_in_the_middle_of_the_body(make_proxy, make_origin):
    origin = make_origin(stall())
    proxy = make_proxy(origin)
    client = Client(proxy.address)
    client.send(build("POST", "/", [("Content-Length", "1000")]) + b"x" * 10)
    origin.wait_for(lambda o: o.heads)
    client.reset()
    left(origin, proxy)


def test_an_end_in_the_middle_of_the_body(make_proxy, make_origin):
    """A FIN before the announced length can never become whole."""
    origin = make_origin(stall())
    proxy = make_proxy(origin)
    with Client(proxy.address) as client:
        client.send(build("POST", "/", [("Content-Length", "1000")]) + b"x" * 10)
        origin.wait_for(lambda o: o.heads)
        client.half_close()
        left(origin, proxy)
    with Client(proxy.address) as client:
        client.send(build("POST", "/", [("Transfer-Encoding", "chunked"), ("Trailer", "x")]) + b"1\r\na\r\n0\r\nX: 1")
        origin.wait_for(lambda o: len(o.heads) == 2)
        client.half_close()
        left(origin, proxy)


def test_a_reset_while_reading_is_paused(make_proxy, make_origin):
    """The server takes nothing, so nothing is read from the client, whose end still shows."""
    @before_body
    def behave(conn, _request):
        gone.wait(10)
        conn.wait_peer(10)
        return CLOSE
    gone = threading.Event()
    origin = make_origin(behave, keep=False)
    proxy = make_proxy(origin)
    client = Client(proxy.address, timeout=1)
    client.send(build("POST", "/", [("Content-Length", str(1 << 30))]))
    try:
        while True:
            client.send(b"x" * 65536)
    except TimeoutError:
        pass
    client.reset()
    proxy.wait_for(lambda: proxy.metrics().value("twokey_server_in_flight") == 0, timeout=4)
    gone.set()
    left(origin, proxy)


def test_a_reset_while_the_answer_waits_for_the_client(make_proxy, make_origin):
    def behave(conn, _request):
        conn.send(response(200, [("Content-Length", str(64 << 20))]))
        for _ in range(1024):
            conn.send(b"x" * 65536)
    origin = make_origin(behave, keep=False)
    proxy = make_proxy(origin)
    client = Client(proxy.address, receive_buffer=8192)
    client.send(build())
    client.head()
    time.sleep(0.5)
    client.reset()
    left(origin, proxy)


def test_a_reset_with_a_request_read_ahead(make_proxy, make_origin):
    origin = make_origin(stall())
    proxy = make_proxy(origin)
    client = Client(proxy.address)
    client.send(build("GET", "/1") + build("GET", "/2"))
    origin.wait_requests(1)
    client.reset()
    left(origin, proxy)
    assert [head.target for head in origin.heads] == ["/1"]


def test_a_client_that_leaves_before_the_server_is_reached(make_proxy):
    """The connect to a server that does not answer is given up with the client."""
    proxy = make_proxy(["10.255.255.1:81"], pool={"timeouts": {"connect": "20s"}})
    client = Client(proxy.address)
    client.send(build("POST", "/", None, b"body"))
    proxy.wait_for(lambda: proxy.metrics().value("twokey_server_in_flight") in (0, 1))
    time.sleep(0.1)
    client.reset()
    proxy.wait_for(lambda: proxy.metrics().value("twokey_server_in_flight") == 0, timeout=4)


def test_clients_that_say_nothing_cost_nothing(make_proxy, origin):
    proxy = make_proxy(origin)
    for _ in range(50):
        Client(proxy.address).close()
        Client(proxy.address).reset()
    proxy.wait_for(lambda: proxy.metrics().value("twokey_listener_connections_open") == 0)
    assert proxy.metrics().value("twokey_listener_requests_total") == 0
    assert proxy.metrics().value("twokey_listener_bad_requests_total") == 0
