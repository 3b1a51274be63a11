"""A pool whose protocol is h2 is spoken to over HTTP/2: in clear text by prior knowledge, over TLS by ALPN."""
import hashlib

import pytest
from support.client import Client, build, get
from support.h2 import H2Client, headers, request
from support.h2_origin import H2Origin, h2_echo, h2_ok, h2_pool
from support.origin import greeting, ok
from support.tls import server_context, tls_pool

BIG = bytes(range(256)) * 12000


@pytest.mark.race
def test_requests_share_one_connection(make_origin, make_proxy):
    origin = make_origin(h2_echo(), speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool(), process={"workers": 1})
    with Client(proxy.address) as client:
        assert client.request("GET", "/a?b=c").body == b""
        assert client.request("POST", "/", body=b"some").body == b"some"
        got = client.request("PUT", "/", body=BIG).body
        assert hashlib.sha256(got).digest() == hashlib.sha256(BIG).digest()
    origin.wait_requests(3)
    assert [(r.method, r.target) for r in origin.requests] == [("GET", "/a?b=c"), ("POST", "/"), ("PUT", "/")]
    assert len(origin.connections) == 1 and not origin.errors
    metrics = proxy.metrics()
    assert metrics.value("twokey_server_connections_total") == 1
    assert metrics.value("twokey_server_connections_reused_total") == 2
    assert metrics.value("twokey_server_h2_streams_total") == 3
    assert metrics.value("twokey_server_connections_idle") == 1


def test_what_belongs_to_one_hop_stays_behind(make_origin, make_proxy):
    origin = make_origin(h2_ok(), speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool())
    with Client(proxy.address) as client:
        client.send(build("POST", "/x", [("Host", "shop.example"), ("Connection", "keep-alive, X-Hop, TE"), ("X-Hop", "1"),
                                         ("TE", "trailers"), ("Transfer-Encoding", "chunked"), ("X-Kept", "yes"),
                                         ("Cookie", "a=1"), ("Cookie", "b=2")]) + b"4\r\nbody\r\n0\r\n\r\n")
        assert client.response("POST").status == 200
    request = origin.wait_requests(1)[0]
    assert (request.authority, request.scheme, request.body) == ("shop.example", "http", b"body")
    assert request.header("te") == "trailers" and request.header("x-kept") == "yes"
    assert request.headers.all("cookie") == ["a=1", "b=2"]
    assert request.header("x-hop") is None and request.header("content-length") is None
    assert request.header("via") == "1.1 twokey"


def test_an_upgrade_goes_without(make_origin, make_proxy):
    origin = make_origin(h2_ok(b"plain"), speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool())
    with Client(proxy.address) as client:
        client.send(build("GET", "/", [("Host", "a"), ("Connection", "upgrade"), ("Upgrade", "websocket")]))
        answer = client.response()
    assert (answer.status, answer.body) == (200, b"plain")
    assert origin.wait_requests(1)[0].header("upgrade") is None


WEBSOCKET = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"}


def test_a_websocket_is_told_why_there_is_none(make_origin, make_proxy):
    origin = make_origin(h2_ok(b"plain"), speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool())
    with Client(proxy.address) as client:
        answer = client.request(headers=list(WEBSOCKET.items()))
        assert answer.status == 502 and b"its pool speaks HTTP/2" in answer.body, answer.body
        assert client.request("GET", "/next").body == b"plain"
    with H2Client(proxy.address) as client:
        client.send(headers(1, [*request("CONNECT", "/chat"), (":protocol", "websocket"), ("sec-websocket-version", "13")], end=False))
        assert client.answer(1).status == 502
    line = proxy.access_log(3)
    assert [one["failure"] for one in line if one["status"] == 502] == ["no-websocket"] * 2
    assert [one.target for one in origin.wait_requests(1)] == ["/next"]
    told = proxy.admin("POST", "/v1/explain", {"path": "/chat", "headers": WEBSOCKET}).json()
    assert (told["pool"], told["status"], told["chosen"]) == ("app", 502, None)
    assert "its pool speaks HTTP/2" in told["reason"]
    plain = proxy.admin("POST", "/v1/explain", {"path": "/chat"}).json()
    assert (plain["status"], plain["chosen"]) == (None, "s1")


@pytest.mark.parametrize("method, status, length", [("HEAD", 200, "42"), ("GET", 204, None), ("GET", 304, "42"), ("GET", 200, "0")])
def test_answers_without_a_body(make_origin, make_proxy, method, status, length):
    fields = [("content-length", length)] if length else []
    origin = make_origin(lambda conn, request: conn.respond(request, status, fields), speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool())
    with Client(proxy.address) as client:
        for _ in range(2):
            answer = client.request(method, "/")
            assert (answer.status, answer.body) == (status, b"")
            assert answer.header("content-length") == length


def test_heads_of_many_fields_pass(make_origin, make_proxy):
    fields = [(f"x-field-{i}", "v" * 200) for i in range(90)]
    origin = make_origin(h2_ok(headers=fields), speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool())
    with Client(proxy.address) as client:
        answer = client.request("GET", "/", headers=[(name.title(), value) for name, value in fields])
    assert [answer.header(name) for name, _ in fields] == ["v" * 200] * 90
    request = origin.wait_requests(1)[0]
    assert [request.header(name) for name, _ in fields] == ["v" * 200] * 90


def test_over_tls_it_is_agreed_by_alpn(make_origin, make_proxy, authority):
    certificate = authority.certificate("origin", "localhost", ip="127.0.0.1")
    origin = make_origin(h2_echo(), speaks=H2Origin, tls=server_context(certificate))
    options = tls_pool(authority)
    options["pool"]["protocol"] = "h2"
    proxy = make_proxy([origin], process={**options.pop("process", {}), "workers": 1}, **options)
    with Client(proxy.address) as client:
        assert client.request("POST", "/", body=BIG).body == BIG
        assert client.request("POST", "/", body=b"b").body == b"b"
    assert origin.wait_requests(2)[0].scheme == "https"
    assert len(origin.connections) == 1


def test_a_server_that_does_not_agree_is_told_from_one_that_failed(make_origin, make_proxy, authority):
    certificate = authority.certificate("origin", "localhost", ip="127.0.0.1")
    origin = make_origin(ok(), tls=server_context(certificate))
    options = tls_pool(authority)
    options["pool"]["protocol"] = "h2"
    proxy = make_proxy([origin], **options)
    assert get(proxy.address).status == 502
    assert proxy.metrics().value("twokey_pool_failures_total", pool="app", reason="server-protocol") == 1
    assert not origin.requests


@pytest.mark.parametrize("behaviour", [ok(), greeting(b"220 mail.example ESMTP\r\n")], ids=["HTTP/1", "SMTP"])
def test_in_clear_text_too_and_another_server_is_tried(make_origin, make_proxy, behaviour):
    other = make_origin(behaviour)
    good = make_origin(h2_ok(b"good"), speaks=H2Origin)
    proxy = make_proxy([other, good], pool=h2_pool(timeouts={"connect": "1s"}, ejection={"consecutive_failures": 0}))
    with Client(proxy.address) as client:
        for _ in range(4):  # nothing was asked yet: any method goes on
            assert client.request("POST", "/", body=b"x").body == b"good"
    assert proxy.metrics().value("twokey_server_failures_total", server="s1") >= 1


def test_a_server_that_never_speaks_costs_the_connect_timeout(make_origin, make_proxy):
    silent = make_origin(h2_ok(), speaks=H2Origin, greets=False)
    proxy = make_proxy([silent], pool=h2_pool(timeouts={"connect": "200ms"}, retry={"attempts": 0}))
    assert get(proxy.address).status == 504
    assert proxy.metrics().value("twokey_pool_failures_total", pool="app", reason="connect-timeout") == 1
    assert not silent.heads
