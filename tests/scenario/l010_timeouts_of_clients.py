"""Clients that are slow are waited for while they move, and no longer."""
import threading
import time

import pytest

from support.client import Client, Ended, build
from support.origin import CLOSE, before_body, echo, ok, response


def listener(**timeouts):
    return {"timeouts": timeouts}


def test_a_body_that_stalls_is_408(make_proxy, make_origin):
    origin = make_origin(echo())
    proxy = make_proxy(origin, listener=listener(body_idle="300ms"))
    with Client(proxy.address) as client:
        client.send(build("POST", "/", [("Content-Length", "10")]) + b"12345")
        began = time.monotonic()
        answer = client.response()
        assert answer.status == 408 and answer.says_close and client.wait_closed()
        assert 0.25 < time.monotonic() - began < 8
    origin.wait_for(lambda o: not o.open_connections())
    assert origin.requests == []
    assert proxy.access_log(1)[0]["failure"] == "body-timeout"
    assert proxy.metrics().value("twokey_server_failures_total") == 0


def test_a_body_a_byte_at_a_time_is_waited_for(make_proxy, make_origin):
    proxy = make_proxy(make_origin(echo()), listener=listener(body_idle="1s"),
                       pool={"timeouts": {"response": "400ms"}})
    with Client(proxy.address) as client:
        client.send(build("POST", "/", [("Content-Length", "10")]))
        for _ in range(10):
            time.sleep(0.15)
            client.send(b"x")
        assert client.response().body == b"x" * 10


def test_a_server_is_not_blamed_for_a_slow_client(make_proxy, make_origin):
    """timeouts.response is shorter than the client's pause: the server has nothing to answer yet."""
    proxy = make_proxy(make_origin(echo()), listener=listener(body_idle="5s"), pool={"timeouts": {"response": "200ms"}})
    with Client(proxy.address) as client:
        client.send(build("POST", "/", [("Content-Length", "10")]) + b"12345")
        time.sleep(0.8)
        client.send(b"67890")
        assert client.response().body == b"1234567890"
    assert proxy.metrics().value("twokey_server_failures_total") == 0


def big(total=32 << 20):
    def behave(conn, _request):
        conn.send(response(200, [("Content-Length", str(total))]))
        for _ in range(total >> 16):
            conn.send(b"x" * 65536)
    return behave


def test_a_client_that_reads_nothing_is_cut_off(make_proxy, make_origin):
    origin = make_origin(big(), keep=False)
    proxy = make_proxy(origin, listener=listener(write_idle="400ms"))
    with Client(proxy.address, receive_buffer=8192) as client:
        client.send(build())
        origin.wait_for(lambda o: o.open_connections() == [] and o.connections, timeout=10)
        client.stream.keep = False
        with pytest.raises(Ended):
            client.response(keep=False)
    assert proxy.access_log(1)[0]["failure"] == "client-stalled"


def test_a_client_that_reads_slowly_is_waited_for(make_proxy, make_origin):
    total = 6 << 20
    proxy = make_proxy(make_origin(big(total), keep=False), listener=listener(write_idle="4s", keepalive="300ms"))
    with Client(proxy.address, receive_buffer=65536) as client:
        client.send(build())
        client.head()
        client.stream.keep = False
        got = len(client.stream.waiting())
        began = time.monotonic()
        while got < total:
            data = client.sock.recv(65536)
            assert data, f"ended after {got} of {total}"
            got += len(data)
            time.sleep(0.05)
        assert time.monotonic() - began > 4


def test_a_pause_at_a_bad_moment_is_no_stall(make_proxy, make_origin):
    """Long after its request a client that read everything at once pauses for a moment."""
    def behave(conn, _request):
        conn.send(response(200, [("Transfer-Encoding", "chunked")]))
        for _ in range(25):
            conn.send(b"1\r\nx\r\n")
            time.sleep(0.1)
        for _ in range(128):
            conn.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        conn.send(b"0\r\n\r\n")
    proxy = make_proxy(make_origin(behave, keep=False), listener=listener(write_idle="2s"))
    with Client(proxy.address, receive_buffer=65536) as client:
        client.send(build())
        client.head()
        client.take(25 * 6)
        time.sleep(0.6)
        tail = b""
        while not tail.endswith(b"\r\n0\r\n\r\n"):
            tail = tail[-10:] + client.sock.recv(65536)
            assert len(tail) > 10 or tail.endswith(b"0\r\n\r\n"), "ended before its end"


def test_the_tail_of_an_answer_is_not_cut_by_keepalive(make_proxy, make_origin):
    """All is given to the connection, but the client has not taken it yet."""
    body = b"x" * (6 << 20)
    proxy = make_proxy(make_origin(ok(body), keep=False), listener=listener(keepalive="200ms", write_idle="5s"))
    with Client(proxy.address, receive_buffer=8192) as client:
        client.send(build())
        for _ in range(6):
            time.sleep(0.3)
            client.stream.keep = True
            client.stream.fill()
        assert len(client.response().body) == len(body)


def test_an_idle_connection_ends_quietly(make_proxy, origin):
    proxy = make_proxy(origin, listener=listener(keepalive="1s"))
    with Client(proxy.address) as client:
        for _ in range(6):
            assert client.request().status == 200
            time.sleep(0.25)
        began = time.monotonic()
        assert client.wait_closed()
        assert 0.3 < time.monotonic() - began < 8
    with Client(proxy.address) as client:  # one that never said anything
        assert client.wait_closed()


def test_an_upload_while_the_server_answers_all_along(make_proxy, make_origin):
    """The client sends nothing for longer than body_idle, but the answer moves."""
    @before_body
    def behave(conn, request):
        conn.send(response(200, [("Transfer-Encoding", "chunked")]))
        for _ in range(20):
            conn.send(b"1\r\nx\r\n")
            time.sleep(0.1)
        conn.read_body(request)
        conn.send(b"0\r\n\r\n")
        return CLOSE
    proxy = make_proxy(make_origin(behave), listener=listener(body_idle="1s"))
    with Client(proxy.address) as client:
        client.send(build("POST", "/", [("Content-Length", "10")]) + b"12345")
        threading.Timer(1.8, client.try_send, (b"67890",)).start()
        assert client.response().body == b"x" * 20


def test_keepalive_requests(make_proxy, origin):
    proxy = make_proxy(origin, listener={"keepalive_requests": 3})
    with Client(proxy.address) as client:
        assert [client.request().says_close for _ in range(3)] == [False, False, True]
        assert client.wait_closed()


def test_connection_age(make_proxy, origin):
    proxy = make_proxy(origin, listener={"connection_age": "1s"})
    with Client(proxy.address) as client:
        assert not client.request().says_close
        time.sleep(2.1)
        assert client.request().says_close
        assert client.wait_closed()


def test_lingering_has_an_end(make_proxy, origin):
    """After its answer an endless sender is listened to for a while, not for ever."""
    proxy = make_proxy(origin, listener={"limits": {"body": "1KiB"}})
    with Client(proxy.address) as client:
        client.send(build("POST", "/", [("Content-Length", str(1 << 30))]) + b"x" * 100)
        assert client.response().status == 413
        client.half_close()
        proxy.wait_for(lambda: proxy.metrics().value("twokey_listener_connections_open") == 0)
