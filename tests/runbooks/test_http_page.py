"""docs/http.md against the program: each refused request is sent, and what is said to be added or dropped is looked at."""
import os
import re

import pytest

from support.client import Client, get
from support.h2 import H2Client, request as h2_request
from support.origin import ok
from support.proxy import ROOT, free_port

HOST = b"Host: shop\r\n"
OK = b"GET / HTTP/1.1\r\n" + HOST

# what docs/http.md says is refused: the bytes that show it
REFUSED = {
    "a request line that is not *method SP target SP version*": b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n",
    "an HTTP version other than 1.0 and 1.1, as `HTTP/1.10`": b"GET / HTTP/1.10\r\n" + HOST + b"\r\n",
    "`HTTP/2.0` in the request line": b"GET / HTTP/2.0\r\n" + HOST + b"\r\n",
    "a method that is not known, as `FROB`": b"FROB / HTTP/1.1\r\n" + HOST + b"\r\n",
    "`TRACE`": b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n",
    "`CONNECT`": b"CONNECT shop:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "`#` in the target": b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n",
    "a path that leaves the root, as `/../x`": b"GET /../x HTTP/1.1\r\n" + HOST + b"\r\n",
    "`%00` in the path": b"GET /%00 HTTP/1.1\r\n" + HOST + b"\r\n",
    "an absolute target whose scheme is not the connection's": b"GET https://shop/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "no `Host` in HTTP/1.1": b"GET / HTTP/1.1\r\n\r\n",
    "two `Host` fields": OK + HOST + b"\r\n",
    "a `Host` that is no host, as `a,b`": b"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n",
    "a line that ends in LF alone": b"GET / HTTP/1.1\n" + HOST + b"\r\n",
    "CR, NUL or another control character in a field": OK + b"x: a\x00b\r\n\r\n",
    "a field name that is no token, or a space before the colon": OK + b"x : a\r\n\r\n",
    "a field continued on the next line": OK + b"x: a\r\n b\r\n\r\n",
    "two `Content-Length` fields, even if equal": OK + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "a `Content-Length` that is no number, as `+5`": OK + b"Content-Length: +5\r\n\r\nhello",
    "`Content-Length` together with `Transfer-Encoding`":
        OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a `Transfer-Encoding` other than one `chunked`": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "`Transfer-Encoding` in HTTP/1.0": b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk size that is no hexadecimal number": OK + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n",
    "a chunk that does not end in CRLF": OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
    "a framing field among the trailers":
        OK + b"TE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nContent-Length: 1\r\n\r\n",
    "an upgrade of a request with a body":
        OK + b"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nx",
    "an `Expect` other than `100-continue`": OK + b"Expect: tea\r\n\r\n",
    "a request line longer than `limits.request_line`": b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "a head larger than `limits.header_bytes`": OK + (b"x: " + b"a" * 1000 + b"\r\n") * 5 + b"\r\n",
    "more fields than `limits.header_count`": OK + b"x: a\r\n" * 30 + b"\r\n",
    "a body larger than `limits.body`": OK + b"Content-Length: 2000\r\n\r\n" + b"a" * 2000,
    "a request that came through this proxy twice (`Via`)": OK + b"Via: 1.1 twokey, 1.1 twokey\r\n\r\n",
    "a host or path that no route takes": b"GET / HTTP/1.1\r\nHost: elsewhere\r\n\r\n",
    "an address that `allow` or `deny` keeps out": b"GET /denied HTTP/1.1\r\n" + HOST + b"\r\n",
    "more requests than `rate_limit`": b"GET /limited HTTP/1.1\r\n" + HOST + b"\r\n",
    "a head that is not whole within `timeouts.headers`": b"GET / HTTP/1.1\r\n" + HOST,
}
REFUSED_H2 = {
    "over HTTP/2 in clear text a `:scheme` of https, not from one of `trusted_proxies`":
        h2_request(scheme="https", authority="shop"),
}
LIMITS = {"request_line": "1KiB", "header_bytes": "4KiB", "header_count": 20, "body": "1KiB"}


def page():
    with open(os.path.join(ROOT, "docs", "http.md"), encoding="utf-8") as file:
        return file.read()


def refusals():
    """(what, status, connection) of each row of the first table."""
    table = page().split("## Refused requests")[1].split("\n## ")[0]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in table.split("\n")
            if re.match(r"\| .*\| \d{3}", line)]


@pytest.fixture
def proxy(make_origin, start_proxy):
    server = make_origin(ok(b"served"))
    route = {"hosts": ["shop"], "pool": "app"}
    return start_proxy({
        "process": {"workers": 1},
        "listeners": {"web": {"address": "127.0.0.1:%d" % free_port(), "limits": LIMITS, "timeouts": {"headers": "500ms"}}},
        "pools": {"app": {"servers": {"s1": {"address": server.address}}}},
        "routes": {"shop": route, "denied": dict(route, path="/denied", deny=["127.0.0.0/8"]),
                   "limited": dict(route, path="/limited", rate_limit={"requests_per_second": 1, "burst": 1})},
    })


def test_every_refusal_of_the_page_is_sent():
    assert sorted(what for what, _, _ in refusals()) == sorted([*REFUSED, *REFUSED_H2])


def ask(proxy, what):
    """(status, whether the connection ends)"""
    if what in REFUSED_H2:
        with H2Client(proxy.address) as client:
            status = client.request(1, REFUSED_H2[what]).status
            return status, client.request(3, h2_request(authority="shop")).status != 200
    with Client(proxy.address) as client:
        client.send(REFUSED[what])
        answer = client.response()
        return answer.status, answer.says_close


@pytest.mark.timeout(120)
def test_each_request_is_refused_as_the_page_says(proxy):
    wrong = []
    for what, status, connection in refusals():
        if "`rate_limit`" in what:
            get(proxy.address, "/limited", host="shop")
        answered, closes = ask(proxy, what)
        if str(answered) != status[:3] or closes != connection.startswith("closes"):
            wrong.append("%s: %d, %s" % (what, answered, "closes" if closes else "stays"))
    assert not wrong, "\n".join(wrong)


def test_a_server_gets_what_the_page_says(make_origin, make_proxy):
    origin = make_origin(ok(b"served"))
    proxy = make_proxy([origin])
    head = get(proxy.address, "/a/../%41%2Fb", host="Shop:80", headers=[
        ("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Port", "1"), ("X-Real-IP", "1.2.3.4"), ("X-Request-Id", "abc-1"),
        ("Connection", "x-hop, x-forwarded-for"), ("X-Hop", "a"), ("Keep-Alive", "b"), ("Proxy-Authorization", "c"),
        ("under_score", "d"), ("X-Kept", "e"), ("X-Kept", "f"), ("Via", "1.0 other"), ("TE", "trailers")])
    assert head.status == 200
    request = origin.wait_requests(1)[0]
    fields = request.headers
    assert (request.method, request.target) == ("GET", "/A%2Fb")
    assert fields.all("host") == ["Shop:80"]
    assert fields.all("via") == ["1.0 other, 1.1 twokey"]
    assert fields.all("x-forwarded-for") == ["127.0.0.1"]
    assert fields.all("x-forwarded-proto") == ["http"]
    assert fields.all("x-forwarded-host") == ["Shop:80"]
    assert fields.all("forwarded") == ['for=127.0.0.1;host="Shop:80";proto=http']
    assert fields.all("x-request-id") == ["abc-1"]
    assert fields.all("x-kept") == ["e", "f"]
    assert fields.all("te") == ["trailers"]
    for name in ("x-forwarded-port", "x-real-ip", "x-hop", "keep-alive", "proxy-authorization", "under_score"):
        assert fields.all(name) == [], name
