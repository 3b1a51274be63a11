"""A body kept for a retry arrives whole on the next connection, however it came in."""
import time

import pytest

from support.client import Client, build
from support.origin import CLOSE, before_body, response


def serves_one_then_drops(seen):
    """The second request of a connection gets nothing: its connection closes after `seen(head)`."""
    @before_body
    def behave(conn, request):
        if conn.served > 0:
            seen(conn)
            return CLOSE
        conn.read_body(request)
        conn.send(response(200, None, request.body))
        return None
    return behave


@pytest.mark.parametrize("first, second", [(0, 5000), (1, 60000), (100, 100), (3000, 40000), (60000, 1)])
def test_a_put_in_two_parts_over_a_stale_connection(make_proxy, make_origin, first, second):
    """The first part goes to a connection that ends; the second arrives about when the next one opens."""
    origin = make_origin(serves_one_then_drops(lambda conn: time.sleep(0.02)))
    proxy = make_proxy(origin, process={"workers": 1})
    body = bytes(i % 251 for i in range(first + second))
    with Client(proxy.address) as client:
        for pause in (0.0, 0.01, 0.02, 0.021, 0.03):
            assert client.request().status == 200
            client.send(build("PUT", "/", [("Content-Length", str(len(body)))]) + body[:first])
            time.sleep(pause)
            client.send(body[first:])
            answer = client.response()
            assert (answer.status, answer.body) == (200, body)


def test_a_body_too_large_to_keep_is_not_sent_again(make_proxy, make_origin):
    """The part of it that arrived cannot be taken back."""
    def seen(conn):
        got = []
        conn.stream.take(1000, got.append)
        time.sleep(0.2)
    origin = make_origin(serves_one_then_drops(seen))
    proxy = make_proxy(origin, process={"workers": 1})
    with Client(proxy.address) as client:
        assert client.request().status == 200
        client.send(build("PUT", "/", [("Content-Length", "300000")]) + b"x" * 100000)
        assert client.response().status == 502
    assert len(origin.heads) == 2


def test_to_another_server_after_a_reset(make_proxy, make_origin):
    @before_body
    def resets(conn, request):
        got = []
        conn.stream.take(10000, got.append)
        return conn.reset()

    def takes(conn, request):
        conn.send(response(200, None, request.body))
    body = bytes(i % 251 for i in range(50000))
    proxy = make_proxy([make_origin(resets), make_origin(takes)], pool={"ejection": {"consecutive_failures": 0}})
    with Client(proxy.address) as client:
        for _ in range(6):
            client.send(build("PUT", "/", [("Content-Length", "50000")]) + body[:20000])
            time.sleep(0.02)
            client.send(body[20000:])
            answer = client.response()
            assert (answer.status, answer.body) == (200, body)
