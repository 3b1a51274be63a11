"""Interim answers, trailers both ways, and answers that are none."""
import pytest
from support import h2
from support.client import Client, build
from support.h2_origin import H2Origin, h2_echo, h2_ok, h2_pool, h2_raw, head
from support.origin import before_body
from support.wire import Ended


def test_interim_answers(make_origin, make_proxy):
    def behave(conn, request):
        conn.interim(request, 103, [("link", "</a.css>")])
        conn.interim(request, 103, [("link", "</b.css>")])
        conn.respond(request, 200, [], b"final")
    proxy = make_proxy([make_origin(behave, speaks=H2Origin)], pool=h2_pool())
    with Client(proxy.address) as client:
        answer = client.request()
    assert [(i.status, i.header("link")) for i in answer.interim] == [(103, "</a.css>"), (103, "</b.css>")]
    assert answer.body == b"final"


def test_expect_continue(make_origin, make_proxy):
    def behave(conn, request):
        conn.interim(request, 100)
        request.on_end = lambda conn, request: conn.respond(request, 200, [], request.body)
    origin = make_origin(before_body(behave), speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool())
    with Client(proxy.address) as client:
        client.send(build("POST", "/", [("Host", "a"), ("Expect", "100-continue"), ("Content-Length", "4")]))
        assert client.head().status == 100
        client.send(b"body")
        assert client.response("POST").body == b"body"
    assert origin.heads[0].header("expect") == "100-continue"


@pytest.mark.race
def test_trailers_both_ways(make_origin, make_proxy):
    origin = make_origin(h2_echo(trailers=[("grpc-status", "0"), ("x-sum", "abc")]), speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool())
    with Client(proxy.address) as client:
        client.send(build("POST", "/", [("Host", "a"), ("Connection", "TE"), ("TE", "trailers"), ("Trailer", "x-up"),
                                        ("Transfer-Encoding", "chunked")]) + b"4\r\nbody\r\n0\r\nx-up: yes\r\n\r\n")
        answer = client.response("POST")
        assert answer.body == b"body"
        assert answer.trailers == [("grpc-status", "0"), ("x-sum", "abc")]
        assert client.request("POST", "/", body=b"plain").trailers == []  # not asked for
    assert origin.requests[0].trailers == [("x-up", "yes")]


def test_trailers_alone(make_origin, make_proxy):
    """As gRPC refuses: one HEADERS that ends the stream."""
    fields = [("content-type", "application/grpc"), ("grpc-status", "12"), ("grpc-message", "unknown service")]
    proxy = make_proxy([make_origin(h2_ok(b"", fields), speaks=H2Origin)], pool=h2_pool())
    with Client(proxy.address) as client:
        answer = client.request("POST", "/", body=b"x")
    assert [answer.header(name) for name, _ in fields] == [value for _, value in fields]
    assert answer.body == b""


OK = [(":status", "200")]
BROKEN = {
    "no status": lambda s: head(s, [("content-type", "text/plain")], True),
    "two": lambda s: head(s, OK + OK, True),
    "a status of two digits": lambda s: head(s, [(":status", "20")], True),
    "101": lambda s: head(s, [(":status", "101")], True),
    "connection": lambda s: head(s, [*OK, ("connection", "close")], True),
    "an upper-case name": lambda s: head(s, [*OK, ("X-Upper", "1")], True),
    "a line feed": lambda s: head(s, [*OK, ("x-bad", "a\nb")], True),
    "a request's field": lambda s: head(s, [*OK, (":path", "/")], True),
    "two lengths": lambda s: head(s, [*OK, ("content-length", "1"), ("content-length", "2")], False),
    "a length and no body": lambda s: head(s, [*OK, ("content-length", "5")], True),
    "data first": lambda s: h2.data(s, b"early"),
    "an interim that ends": lambda s: head(s, [(":status", "103")], True),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_malformed_answer_is_502_and_the_servers_fault(make_origin, make_proxy, what):
    origin = make_origin({"/bad": h2_raw(BROKEN[what]), "*": h2_ok(b"good")}, speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool(retry={"attempts": 0}, ejection={"consecutive_failures": 0}))
    with Client(proxy.address) as client:
        assert client.request("GET", "/bad").status == 502
        assert client.request("GET", "/good").body == b"good"
    assert proxy.metrics().value("twokey_pool_failures_total", pool="app", reason="bad-response") == 1
    assert proxy.metrics().value("twokey_server_failures_total") == 1


CUT = {
    "less than its length": lambda s: head(s, [*OK, ("content-length", "10")], False) + h2.data(s, b"four", end=True),
    "more than its length": lambda s: head(s, [*OK, ("content-length", "2")], False) + h2.data(s, b"four", end=True),
    "reset": lambda s: head(s, OK, False) + h2.data(s, b"four") + h2.reset(s, h2.INTERNAL_ERROR),
    "reset without an error": lambda s: head(s, OK, False) + h2.data(s, b"four") + h2.reset(s, h2.NO_ERROR),
    "trailers with a status": lambda s: head(s, OK, False) + h2.data(s, b"four") + head(s, OK, True),
    "a framing field in the trailers": lambda s: head(s, OK, False) + h2.data(s, b"four") + head(s, [("content-length", "4")], True),
}


@pytest.mark.parametrize("what", CUT)
def test_an_answer_that_breaks_off_is_no_whole_one(make_origin, make_proxy, what):
    origin = make_origin({"/cut": h2_raw(CUT[what]), "*": h2_ok(b"good")}, speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool(ejection={"consecutive_failures": 0}))
    with Client(proxy.address) as client:
        client.send(b"GET /cut HTTP/1.1\r\nHost: a\r\n\r\n")
        try:
            assert client.response().status == 502  # nothing of it had gone out
        except Ended:
            pass
    with Client(proxy.address) as client:
        assert client.request("GET", "/good").body == b"good"
    assert proxy.metrics().value("twokey_server_failures_total") >= 1


def test_an_answer_before_the_end_of_the_upload(make_origin, make_proxy):
    origin = make_origin(before_body(lambda conn, request: conn.respond(request, 413, [], b"too much")), speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool(), process={"workers": 1})
    with Client(proxy.address) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nsome")
        assert client.response("POST").status == 413
    origin.wait_for(lambda o: o.connections[0].resets)
    assert origin.connections[0].open
