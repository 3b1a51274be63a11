"""Hundreds that send or read a little at a time, while others are served as ever."""
import threading
import time

import pytest

from support.client import Client, Ended, build
from support.origin import echo, ok, response


def serve_others(proxy):
    """Requests while slow ones are under way, which do not end before these do; how long the slowest took."""
    slowest = 0.0
    for _ in range(50):
        with Client(proxy.address, timeout=30) as client:
            began = time.monotonic()
            assert client.request(target="/quick").status == 200
            slowest = max(slowest, time.monotonic() - began)
    return slowest


def test_heads_a_byte_at_a_time_get_408(make_proxy, origin):
    proxy = make_proxy(origin, listener={"timeouts": {"headers": "6s"}})
    slow = [Client(proxy.address) for _ in range(200)]
    head, ends = build(headers={"X": "a" * 200}), []

    def drip():
        for at in range(60):
            for client in slow:
                client.try_send(head[at:at + 1])
            time.sleep(0.1)
    dripper = threading.Thread(target=drip)
    dripper.start()
    assert serve_others(proxy) < 5
    dripper.join()
    for client in slow:
        ends.append(client.read_until_close().partition(b"\r\n")[0])
        client.close()
    assert sum(end.startswith(b"HTTP/1.1 408 ") for end in ends) > 190  # the others met a reset after it
    assert all(head.target == "/quick" for head in origin.heads)


def test_bodies_a_byte_at_a_time(make_proxy, make_origin):
    origin = make_origin({"/quick": ok(), "*": echo()})
    proxy = make_proxy(origin, listener={"timeouts": {"body_idle": "20s"}})
    slow = [Client(proxy.address) for _ in range(100)]
    for number, client in enumerate(slow):
        if number % 2:
            client.send(build("POST", "/", [("Content-Length", "2000")]))
        else:
            client.send(build("POST", "/", [("Transfer-Encoding", "chunked")]))

    served, sent = threading.Event(), [0]

    def drip():
        while sent[0] < 20 or (sent[0] < 2000 and not served.is_set()):
            for number, client in enumerate(slow):
                client.send(b"x" if number % 2 else b"1\r\nx\r\n")
            sent[0] += 1
            time.sleep(0.02)
        for number, client in enumerate(slow):
            client.send(b"x" * (2000 - sent[0]) if number % 2 else b"0\r\n\r\n")
    dripper = threading.Thread(target=drip)
    dripper.start()
    try:
        serve_others(proxy)
    finally:
        served.set()
        dripper.join()
    for number, client in enumerate(slow):
        assert client.response().body == b"x" * (2000 if number % 2 else sent[0])
        client.close()


@pytest.mark.timeout(90)
def test_answers_read_a_little_at_a_time(make_proxy, make_origin):
    size = 1 << 20

    def big(conn, _request):
        conn.send(response(200, [("Content-Length", str(size))]))
        conn.send(b"x" * size)
    origin = make_origin({"/quick": ok(), "*": big}, keep=False)
    proxy = make_proxy(origin)
    before = proxy.rss()
    slow = [Client(proxy.address, timeout=30, receive_buffer=4096) for _ in range(100)]
    for client in slow:
        client.send(build())
    serve_others(proxy)
    assert proxy.rss() - before < 64 << 20
    for client in slow:
        client.stream.keep = False
        assert client.response(keep=False).body_bytes == size
        client.close()


def test_slow_ones_that_leave_are_forgotten(make_proxy, make_origin):
    proxy = make_proxy(make_origin(echo()))
    for _ in range(100):
        client = Client(proxy.address)
        client.send(build("POST", "/", [("Content-Length", "20")])[:-7] if _ % 2 else
                    build("POST", "/", [("Content-Length", "20")]) + b"x")
        client.reset()
    proxy.wait_for(lambda: proxy.metrics().value("twokey_listener_connections_open") == 0)
    proxy.wait_for(lambda: proxy.metrics().value("twokey_server_in_flight") == 0)
    with Client(proxy.address) as client:
        try:
            assert client.request().status == 200
        except Ended:
            raise AssertionError("a later client is served") from None
