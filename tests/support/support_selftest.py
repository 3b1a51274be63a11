"""The library against itself, without a proxy: what a test relies on must itself be right."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import pytest  # noqa: E402

from support.client import Client, Ended, WireError, build, masked_frame  # noqa: E402
from support.origin import (CLOSE, Origin, chunked, close_after, drip, early, echo, interim, ok, raw, reset,  # noqa: E402
                            response, then_close, tunnel, websocket, with_extra)
from support.proxy import Metrics, merge  # noqa: E402


def told(behaviour, data=None, method="GET", kind="inet"):
    with Origin(behaviour, kind=kind) as origin:
        address = origin.path if kind == "unix" else origin.address
        with Client(address) as client:
            client.send(data or build(method))
            answer = client.response(method)
        return answer, origin


@pytest.mark.parametrize("kind", ["inet", "inet6", "unix"])
def test_an_origin_answers_and_logs_the_bytes(kind):
    data = build("POST", "/x", {"A": "1"}, b"body")
    answer, origin = told(echo(), data, "POST", kind)
    assert (answer.status, answer.body, answer.framing) == (200, b"body", "length")
    assert origin.requests[0].headers == [("Host", "test.example"), ("A", "1"), ("Content-Length", "4")]
    assert origin.requests[0].raw == data == origin.connections[0].raw


def test_chunks_and_trailers_are_read_both_ways():
    data = (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n2\r\nde\r\n0\r\nX: 1\r\n\r\n")
    answer, origin = told(echo(), data, "POST")
    assert (answer.body, answer.trailers, answer.framing) == (b"abcde", [("X", "1")], "chunked")
    assert origin.requests[0].chunked
    assert told(chunked([b"ab", b"c"], [("T", "v")], gap=0.001))[0].trailers == [("T", "v")]


def test_bodyless_answers_have_no_body():
    assert told(raw(b"HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n"))[0].body == b""
    assert told(ok(b"12345"), method="HEAD")[0].header("content-length") == "5"


def test_interim_responses_are_collected():
    answer, _ = told(interim([b"HTTP/1.1 103 E\r\nLink: a\r\n\r\n"] * 2, ok()))
    assert [one.status for one in answer.interim] == [103, 103] and answer.status == 200


def test_a_body_cut_short_is_not_a_response():
    whole = response(200, None, b"0123456789")
    with pytest.raises(Ended):
        told(close_after(len(whole) - 1, whole))
    with pytest.raises(Ended) as caught:
        told(reset())
    assert caught.value.was_reset


def test_a_close_delimited_body_ends_with_the_connection():
    answer, _ = told(raw(b"HTTP/1.0 200 OK\r\n\r\nall of it", CLOSE))
    assert (answer.body, answer.framing) == (b"all of it", "close")


def test_an_early_answer_comes_before_the_body():
    answer, origin = told(early(response(413)), b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n", "POST")
    assert answer.status == 413 and len(origin.heads) == 1 and not origin.requests


def test_a_slow_origin_and_a_tunnel():
    assert told(drip(response(200, None, b"ab"), 0.0005))[0].body == b"ab"
    with Origin(tunnel()) as origin, Client(origin.address) as client:
        client.send(build(headers={"Connection": "upgrade", "Upgrade": "test"}) + b"early")
        assert client.response().status == 101
        assert client.take(5) == b"early"
        client.half_close()
        assert client.wait_closed()


def test_a_websocket_origin_echoes():
    with Origin(websocket()) as origin, Client(origin.address) as client:
        client.send(build(headers={"Connection": "upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}))
        assert client.response().header("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        client.send(masked_frame(b"hello"))
        assert client.take(7) == b"\x81\x05hello"


def test_behaviours_by_path_and_by_turn():
    with Origin({"/a": ok(b"a"), "*": ok(b"other")}) as origin, Client(origin.address) as client:
        assert client.request(target="/a?x").body == b"a"
        assert client.request(target="/b").body == b"other"
    with Origin([ok(b"1"), then_close(ok(b"2"))]) as origin, Client(origin.address) as client:
        assert client.request().body == b"1"
        assert client.request().body == b"2"
        assert client.wait_closed()


def test_extra_bytes_are_seen():
    with Origin(with_extra(b"HTTP/1.1 200 evil\r\n\r\n")) as origin, Client(origin.address) as client:
        client.request()
        assert not client.wait_closed()


@pytest.mark.parametrize("bad", [
    b"GET / HTTP/1.1\nHost: a\n\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    b"GET /# HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;e=1\r\na\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
])
def test_the_reader_refuses_what_is_ambiguous(bad):
    with Origin() as origin, Client(origin.address) as client:
        client.send(bad)
        origin.wait_for(lambda o: o.errors)
        assert not origin.requests


def test_a_mark_tells_what_came_after():
    with Origin() as origin, Client(origin.address) as client:
        client.request(target="/before")
        mark = origin.mark()
        assert origin.since(mark).bytes == 0
        client.request(target="/after")
        origin.settle()
        seen = origin.since(mark)
        assert [request.target for request in seen.requests] == ["/after"] and seen.bytes > 0


def test_a_response_with_two_lengths_is_refused():
    with pytest.raises(WireError):
        told(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"))


def test_metrics_and_patches():
    metrics = Metrics('# TYPE a_total counter\na_total{pool="x",server="1"} 2\na_total{pool="x",server="2"} 3\n')
    assert metrics.value("a_total", pool="x") == 5 and metrics.value("a_total", server="1") == 2
    assert merge({"a": {"b": 1, "c": 2}}, {"a": {"b": None, "d": 3}}) == {"a": {"c": 2, "d": 3}}
