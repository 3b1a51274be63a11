"""A request that ends early takes its stream along, and a reload or a stop its connections, and nothing else."""
import signal

import pytest
from support import h2
from support.client import Client, get
from support.h2 import H2Client
from support.h2_origin import H2Origin, h2_ok, h2_pool, h2_silent
from support.origin import before_body
from support.tls import server_context, tls_pool


def test_a_client_that_leaves_resets_its_stream_alone(make_origin, make_proxy):
    origin = make_origin({"/hang": h2_silent(), "*": h2_ok()}, speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool(), process={"workers": 1})
    with H2Client(proxy.address) as client:
        client.send(h2.headers(1, h2.request("GET", "/hang")))
        origin.wait_for(lambda o: o.heads)
        client.send(h2.reset(1, h2.CANCEL))
        origin.wait_for(lambda o: o.connections[0].resets == [(1, h2.CANCEL)])
        assert client.request(3).status == 200
    assert len(origin.connections) == 1
    proxy.wait_for(lambda: proxy.metrics().value("twokey_server_in_flight") == 0)


def test_one_that_leaves_at_once_leaves_nothing(make_origin, make_proxy):
    origin = make_origin({"*": h2_ok()}, speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool(), process={"workers": 1})
    with H2Client(proxy.address) as client:
        for stream in range(1, 60, 4):
            client.send(h2.headers(stream, h2.GET) + h2.reset(stream) + h2.headers(stream + 2, h2.GET))
            assert client.answer(stream + 2).status == 200
    assert not origin.errors and len(origin.connections) == 1
    proxy.wait_for(lambda: proxy.metrics().value("twokey_server_in_flight") == 0)


def test_a_response_that_does_not_come_ends_its_stream(make_origin, make_proxy):
    origin = make_origin({"/hang": h2_silent(), "*": h2_ok()}, speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool(timeouts={"response": "300ms"}, ejection={"consecutive_failures": 0}), process={"workers": 1})
    assert get(proxy.address).status == 200
    assert get(proxy.address, "/hang").status == 504
    origin.wait_for(lambda o: o.connections[0].resets)
    # the server had said nothing since: nobody else waits for that connection
    assert get(proxy.address).status == 200
    assert len(origin.connections) == 2


@pytest.mark.race
def test_a_reload_that_takes_the_server_away(make_origin, make_proxy):
    held = []
    origin = make_origin({"/slow": before_body(lambda conn, request: held.append((conn, request))), "*": h2_ok()}, speaks=H2Origin)
    other = make_origin(h2_ok(b"other"), speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool(), process={"workers": 1})
    with Client(proxy.address) as slow:
        slow.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        origin.wait_for(lambda _: held)
        config = proxy.config
        config["pools"]["app"]["servers"] = {"s2": {"address": other.address}}
        proxy.reload(config)
        assert get(proxy.address).body == b"other"
        assert origin.connections[0].open
        held[0][0].respond(held[0][1], 200, [], b"late")
        assert slow.response().body == b"late"
    origin.wait_for(lambda o: not o.connections[0].open)
    assert origin.connections[0].goaways == [(0, h2.NO_ERROR)]


def test_a_reload_that_changes_how_it_is_reached(make_origin, make_proxy, authority):
    certificate = authority.certificate("origin", "localhost", ip="127.0.0.1")
    origin = make_origin(h2_ok(), speaks=H2Origin, tls=server_context(certificate))
    options = tls_pool(authority)
    options["pool"]["protocol"] = "h2"
    options["process"]["workers"] = 1
    proxy = make_proxy([origin], **options)
    assert get(proxy.address).status == get(proxy.address).status == 200
    assert len(origin.connections) == 1
    config = proxy.config
    config["pools"]["app"]["tls"]["sni"] = "localhost"
    proxy.reload(config)
    assert get(proxy.address).status == 200
    assert len(origin.connections) == 2


def test_a_stop_lets_streams_finish(make_origin, make_proxy):
    held = []
    origin = make_origin(before_body(lambda conn, request: held.append((conn, request))), speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool(), process={"workers": 1})
    with Client(proxy.address) as slow:
        slow.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        origin.wait_for(lambda _: held)
        proxy.signal(signal.SIGTERM)
        proxy.wait_event("stopping")
        held[0][0].respond(held[0][1], 200, [], b"late")
        assert slow.response().body == b"late"
    origin.wait_for(lambda o: not o.connections[0].open)
    assert proxy.wait_exit() == 0  # before a second SIGTERM comes, which may cut it short
