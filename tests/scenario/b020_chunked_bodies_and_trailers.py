"""Chunked bodies are taken apart and framed anew; trailers pass only where they are welcome."""
import time

import pytest

from support.client import Client, build
from support.origin import chunked, chunks, echo, ok, response

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
BODY = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"


def test_a_chunked_request_stays_chunked(make_proxy, make_origin):
    origin = make_origin(echo())
    with Client(make_proxy(origin).address) as client:
        client.send(HEAD + b"\r\n" + BODY)
        assert client.response().body == b"hello world"
    seen = origin.wait_requests(1)[0]
    assert seen.chunked and seen.body == b"hello world" and seen.header("content-length") is None


@pytest.mark.parametrize("gap", [0, 0.001])
def test_a_chunked_request_a_byte_at_a_time(make_proxy, make_origin, gap):
    origin = make_origin(echo())
    with Client(make_proxy(origin).address) as client:
        for byte in HEAD + b"Trailer: x-sum\r\n\r\n" + BODY[:-2] + b"X-Sum: 12\r\n\r\n":
            client.send(bytes([byte]))
            time.sleep(gap)
        assert client.response().body == b"hello world"
    assert origin.wait_requests(1)[0].trailers.get("x-sum") == "12"


@pytest.mark.parametrize("cut", range(1, 20))
def test_trailers_cut_anywhere(make_proxy, make_origin, cut):
    """The tail `0 CRLF field CRLF CRLF` arrives in two parts."""
    tail = b"0\r\nX-Sum: 12\r\n\r\n"
    origin = make_origin(echo())
    with Client(make_proxy(origin, listener={"timeouts": {"body_idle": "2s"}}).address) as client:
        client.send(HEAD + b"TE: trailers\r\nConnection: TE\r\n\r\n5\r\nhello\r\n")
        origin.wait_for(lambda o: o.heads)
        client.send(tail[:cut])
        time.sleep(0.02)
        client.send(tail[cut:])
        answer = client.response()
        assert (answer.status, answer.body) == (200, b"hello")
        assert answer.trailers.get("x-sum") == "12"


def test_request_trailers_that_nobody_announced_are_dropped(make_proxy, make_origin):
    origin = make_origin(ok())
    with Client(make_proxy(origin).address) as client:
        client.send(HEAD + b"\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n")
        assert client.response().status == 200
    assert not origin.wait_requests(1)[0].trailers


def test_response_trailers_for_a_client_that_wants_them(make_proxy, make_origin):
    origin = make_origin(chunked([b"one", b"two"], [("X-Sum", "6")], [("Trailer", "X-Sum")]))
    proxy = make_proxy(origin)
    with Client(proxy.address) as client:
        wanted = client.request(headers={"TE": "trailers", "Connection": "TE"})
        assert (wanted.body, wanted.trailers) == (b"onetwo", [("X-Sum", "6")])
        unwanted = client.request()
        assert (unwanted.body, unwanted.trailers) == (b"onetwo", [])
    assert origin.requests[0].header("te") == "trailers"


def test_trailers_that_connection_names_are_of_one_hop(make_proxy, make_origin):
    """RFC 9110 section 7.6.1: fields of the head and of the trailers."""
    origin = make_origin([ok(), chunked([b"one"], [("X-Hop", "6")], [("Connection", "x-hop"), ("Trailer", "X-Hop")])])
    with Client(make_proxy(origin).address) as client:
        client.send(HEAD + b"Connection: TE, x-hop\r\nTE: trailers\r\n\r\n0\r\nX-Hop: 1\r\n\r\n")
        assert client.response().status == 200
        assert not origin.wait_requests(1)[0].trailers
        answer = client.request(headers={"TE": "trailers", "Connection": "TE"})
        assert (answer.body, list(answer.trailers)) == (b"one", [])


def test_a_chunked_response_a_byte_at_a_time(make_proxy, make_origin):
    said = response(200, [("Transfer-Encoding", "chunked")]) + chunks([b"hello", b" world"], [("X-Sum", "1")])

    def behave(conn, _request):
        conn.send_slowly(said, 0.0005)
    with Client(make_proxy(make_origin(behave)).address) as client:
        for _ in range(2):
            answer = client.request(headers={"TE": "trailers", "Connection": "TE"})
            assert (answer.body, answer.framing, answer.trailers) == (b"hello world", "chunked", [("X-Sum", "1")])


def test_a_response_in_every_two_pieces(make_proxy, make_origin):
    """Head and body cut at every byte, on one reused connection."""
    said = response(200, None, b"0123456789")
    turn = iter(range(1, len(said)))

    def behave(conn, _request):
        cut = next(turn)
        conn.send(said[:cut])
        time.sleep(0.003)
        conn.send(said[cut:])
    origin = make_origin(behave)
    with Client(make_proxy(origin).address) as client:
        for _ in range(len(said) - 1):
            assert client.request().body == b"0123456789"
    assert len(origin.connections) == 1


def test_a_request_with_its_body_in_every_two_pieces(make_proxy, make_origin):
    origin = make_origin(echo())
    said = build("PUT", "/", None, b"abcdefghijklmnopqrstuvwxyz" * 4)
    with Client(make_proxy(origin).address) as client:
        for cut in range(1, len(said)):
            client.send(said[:cut])
            time.sleep(0.001)
            client.send(said[cut:])
            assert client.response().body == b"abcdefghijklmnopqrstuvwxyz" * 4


def test_many_tiny_chunks_leave_as_few(make_proxy, make_origin):
    origin = make_origin(ok())
    with Client(make_proxy(origin).address) as client:
        client.send(HEAD + b"\r\n" + b"1\r\nx\r\n" * 20000 + b"0\r\n\r\n")
        assert client.response().status == 200
    seen = origin.wait_requests(1)[0]
    assert seen.body == b"x" * 20000
    assert len(seen.raw) < 24000


def test_a_body_that_came_before_the_connection_was_open(make_proxy, make_origin):
    """Every request on a connection of its own, the whole of it in one packet."""
    origin = make_origin(echo())
    proxy = make_proxy(origin, pool={"keepalive": {"max_requests": 1}})
    for size in (1, 100, 5000, 60000):
        body = bytes(i % 251 for i in range(size))
        with Client(proxy.address) as client:
            client.send(build("POST", "/", None, body))
            assert client.response().body == body
            client.send(HEAD + b"\r\n" + chunks([body]))
            assert client.response().body == body
