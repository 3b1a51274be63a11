"""GOAWAY, first with 2^31-1 and then with the last stream: what is on its way is served, what is open goes on."""
import threading

import pytest
from support.h2 import GET, MAX_WINDOW, NO_ERROR, H2Client, data, headers, request
from support.origin import drip, echo, ok, response
from support.proxy import free_port


@pytest.fixture(name="held")
def held_back(make_origin):
    """An origin whose /held answers when told to."""
    go = threading.Event()

    def behave(conn, asked):
        go.wait(30)
        return ok(b"held")(conn, asked)
    origin = make_origin({"/held": behave, "/echo": echo(), "*": ok(b"x")})
    origin.go = go
    yield origin
    go.set()


def codes(client):
    return [(last, code) for last, code, _ in client.goaways]


def test_after_so_many_requests(make_proxy, held):
    proxy = make_proxy(held, listener={"keepalive_requests": 3})
    with H2Client(proxy.address) as client:
        client.send(headers(1, request(path="/held")))
        assert client.request(3).status == 200 and not client.goaways
        assert client.request(5).status == 200
        client.pump(lambda: len(client.goaways) == 2)
        assert codes(client) == [(MAX_WINDOW, NO_ERROR), (5, NO_ERROR)]
        assert not client.answer(5).reset
        held.go.set()
        assert client.answer(1).body == b"held" and client.wait_closed() and not client.was_reset
    with H2Client(proxy.address) as client:
        assert client.request(1).status == 200


def test_what_comes_between_the_two_is_served(make_proxy, held):
    """A client that has not read the first GOAWAY yet, and does not answer the PING."""
    proxy = make_proxy(held, listener={"keepalive_requests": 1})
    with H2Client(proxy.address) as client:
        client.answers_pings = False
        client.send(headers(1, GET))
        assert client.answer(1).status == 200
        client.pump(lambda: client.goaways)
        assert client.request(3, request(path="/late")).status == 200
        client.pump(lambda: len(client.goaways) == 2)
        assert codes(client) == [(MAX_WINDOW, NO_ERROR), (3, NO_ERROR)] and client.wait_closed()


def test_an_idle_one_ends(make_proxy, held):
    proxy = make_proxy(held, listener={"timeouts": {"keepalive": "300ms"}})
    with H2Client(proxy.address) as client:
        assert client.request(1).status == 200
        assert client.wait_closed() and not client.was_reset
        assert codes(client)[-1] == (1, NO_ERROR)


def test_an_old_one_ends(make_proxy, held):
    proxy = make_proxy(held, listener={"connection_age": "1s"})
    with H2Client(proxy.address) as client:
        client.send(headers(1, request(path="/held")))
        client.pump(lambda: len(client.goaways) == 2)
        held.go.set()
        assert client.answer(1).body == b"held" and client.wait_closed()


def test_a_stop_lets_streams_finish(make_proxy, held):
    proxy = make_proxy(held)
    with H2Client(proxy.address) as client, H2Client(proxy.address) as idle:
        assert idle.sync()
        client.send(headers(1, request(path="/held")) + headers(3, request("POST", "/echo"), end=False))
        held.wait_for(lambda o: len(o.heads) == 2)
        stopper = threading.Thread(target=proxy.stop)
        stopper.start()
        try:
            client.pump(lambda: len(client.goaways) == 2)
            assert codes(client) == [(MAX_WINDOW, NO_ERROR), (3, NO_ERROR)]
            assert idle.wait_closed() and codes(idle) == [(MAX_WINDOW, NO_ERROR), (0, NO_ERROR)]
            client.send(data(3, b"to the end", end=True))
            assert client.answer(3).body == b"to the end"
            held.go.set()
            assert client.answer(1).body == b"held" and client.wait_closed()
        finally:
            held.go.set()
            stopper.join()


def test_a_stop_waits_so_long_and_no_longer(make_proxy, held):
    proxy = make_proxy(held, process={"shutdown_timeout": "1s"})
    with H2Client(proxy.address) as client:
        client.send(headers(1, request(path="/held")))
        held.wait_for(lambda o: o.heads)
        proxy.stop()
        client.pump(lambda: client.has_ended)
        assert client.stream(1).status is None


def test_a_listener_that_goes(make_proxy, held):
    """The last GOAWAY comes at once; what is open goes on."""
    proxy = make_proxy(held)
    with H2Client(proxy.address) as client:
        client.send(headers(1, request(path="/held")))
        held.wait_for(lambda o: o.heads)
        proxy.reload(dict(proxy.config, listeners={"other": {"address": f"127.0.0.1:{free_port()}"}}))
        client.pump(lambda: client.goaways)
        assert codes(client) == [(1, NO_ERROR)]
        held.go.set()
        assert client.answer(1).body == b"held" and client.wait_closed()


def test_a_reload_that_keeps_the_listener_keeps_the_connection(make_proxy, make_origin):
    proxy = make_proxy(make_origin({"/slow": drip(response(200, [("Content-Length", "50")], b"s" * 50), 0.01), "*": ok(b"x")}))
    with H2Client(proxy.address) as client:
        client.send(headers(1, request(path="/slow")))
        client.head(1)
        for turn in range(3):
            assert proxy.reload().status == 200
            assert client.request(3 + 2 * turn).status == 200
        assert client.answer(1).body_bytes == 50 and not client.goaways
