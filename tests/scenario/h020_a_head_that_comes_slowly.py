"""A head has its time from the first byte on: 408 and closed.  A connection that says nothing is closed without words."""
import time

import pytest

from support.client import Client, build


@pytest.fixture
def proxy(make_proxy, origin):
    return make_proxy(origin, listener={"timeouts": {"headers": "1s", "keepalive": "1s"}})


def test_half_a_head_is_408(proxy, origin):
    with Client(proxy.address) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        started = time.monotonic()
        assert client.response().status == 408
        assert client.wait_closed() and time.monotonic() - started < 10
    assert not origin.connections


def test_a_byte_now_and_then_does_not_help(proxy, origin):
    head = build(headers={"X": "a" * 400})
    with Client(proxy.address) as client:
        for at in range(len(head)):
            if not client.try_send(head[at:at + 1]):
                break
            time.sleep(0.05)
            if at * 0.05 > 8:
                break
        assert b" 408 " in client.read_until_close().partition(b"\r\n")[0]
    assert not origin.connections


def test_silence_is_closed_without_words(proxy):
    with Client(proxy.address) as client:
        assert client.read_until_close() == b""


def test_an_idle_connection_is_closed_without_words(proxy):
    with Client(proxy.address) as client:
        assert client.request().status == 200
        assert client.read_until_close() == b""


def test_others_are_served_meanwhile(proxy, origin):
    slow = [Client(proxy.address) for _ in range(50)]
    for client in slow:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX:")
    with Client(proxy.address) as client:
        assert client.request().status == 200
    for client in slow:
        assert client.response().status == 408
        client.close()
