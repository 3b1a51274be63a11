"""As few connections as hold the requests: up to the server's MAX_CONCURRENT_STREAMS and 100 each; and when they end."""
import threading

import pytest
from support import h2
from support.client import Client, get
from support.h2_origin import H2Origin, h2_ok, h2_pool
from support.origin import before_body


class Gate:
    """Answers when it is opened."""

    def __init__(self):
        self.lock = threading.Lock()
        self.held = []
        self.behave = before_body(lambda conn, request: self.hold(conn, request))

    def hold(self, conn, request):
        with self.lock:
            self.held.append((conn, request))

    def open(self):
        with self.lock:
            held, self.held = self.held, []
        for conn, request in held:
            conn.respond(request, 200, [], b"opened")


def send_all(proxy, count):
    clients = [Client(proxy.address) for _ in range(count)]
    for client in clients:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    return clients


def finish(clients):
    for client in clients:
        assert client.response().status == 200
        client.close()


def streams_by_connection(origin):
    return sorted(len(conn.streams) for conn in origin.connections)


@pytest.mark.parametrize("most, count, spread", [(100, 30, [30]), (10, 30, [10, 10, 10]), (1, 5, [1] * 5), (1000, 120, [20, 100])])
def test_a_connection_holds_what_the_server_takes(make_origin, make_proxy, most, count, spread):
    gate = Gate()
    origin = make_origin(gate.behave, speaks=H2Origin, settings=[(h2.MAX_CONCURRENT_STREAMS, most)])
    proxy = make_proxy([origin], pool=h2_pool(), process={"workers": 1})
    clients = send_all(proxy, count)
    origin.wait_for(lambda o: len(o.heads) == count)
    assert streams_by_connection(origin) == spread
    gate.open()
    finish(clients)
    proxy.wait_for(lambda: proxy.metrics().value("twokey_server_connections_idle") == len(spread))


def test_a_server_that_takes_no_stream_is_no_server(make_origin, make_proxy):
    full = make_origin(h2_ok(), speaks=H2Origin, settings=[(h2.MAX_CONCURRENT_STREAMS, 0)])
    good = make_origin(h2_ok(b"good"), speaks=H2Origin)
    proxy = make_proxy([full, good], pool=h2_pool())
    for _ in range(4):
        assert get(proxy.address, "/").body == b"good"
    assert not full.heads


def test_idle_connections_end_with_a_goaway(make_origin, make_proxy):
    origin = make_origin(h2_ok(), speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool(keepalive={"idle_timeout": "200ms"}), process={"workers": 1})
    assert get(proxy.address).status == 200
    origin.wait_for(lambda o: not o.connections[0].open)
    assert [code for _, code in origin.connections[0].goaways] == [h2.NO_ERROR]
    assert get(proxy.address).status == 200
    assert len(origin.connections) == 2
    proxy.wait_for(lambda: proxy.metrics().value("twokey_server_connections_idle") == 0)


def test_a_connection_serves_max_requests(make_origin, make_proxy):
    origin = make_origin(h2_ok(), speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool(keepalive={"max_requests": 3}), process={"workers": 1})
    with Client(proxy.address) as client:
        for _ in range(7):
            assert client.request().status == 200
    assert streams_by_connection(origin) == [1, 3, 3]
    origin.wait_for(lambda o: sum(conn.open for conn in o.connections) == 1)


def test_places_of_a_server_are_counted_by_request(make_origin, make_proxy):
    gate = Gate()
    origin = make_origin(gate.behave, speaks=H2Origin)
    proxy = make_proxy({"s1": {"address": origin.address, "max_connections": 2}}, pool=h2_pool(), process={"workers": 1})
    clients = send_all(proxy, 4)
    origin.wait_for(lambda o: len(o.heads) == 2)
    proxy.wait_for(lambda: proxy.metrics().value("twokey_pool_queue_length", pool="app") == 2)
    assert len(origin.heads) == 2
    gate.open()
    origin.wait_for(lambda o: len(o.heads) == 4)
    gate.open()
    finish(clients)
