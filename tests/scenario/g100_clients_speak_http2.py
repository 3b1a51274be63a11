"""Clients speak HTTP/2 where TLS agrees on it, and in clear text when they begin so; servers are asked as ever."""
import hashlib
import subprocess

import pytest
from support.origin import after, echo, ok, raw, response
from support.proxy import free_port
from support.tls import TlsClient, tls_listener

BIG = bytes(range(256)) * 40000


def curl(*arguments, stdin=None):
    """Standard output; its errors are ours."""
    done = subprocess.run(["curl", "-sS", "--max-time", "30", *arguments], input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def split(head_and_body):
    head, _, body = head_and_body.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return status.strip(), [tuple(line.split(": ", 1)) for line in lines], body


@pytest.fixture(name="both", params=["h2", "h2c"])
def both_ways(request, make_proxy, authority):
    """A proxy, and curl's words for it: over TLS, and in clear text."""
    def start(origins, **more):
        if request.param == "h2c":
            proxy = make_proxy(origins, **more)
            return proxy, ["--http2-prior-knowledge"], f"http://{proxy.address}"
        tls = tls_listener(authority.directory, authority.certificate("shop", "shop.example"))
        proxy = make_proxy(origins, **{**more, **tls, "config": {**more.get("config", {}), **tls["config"]}})
        port = proxy.address.rpartition(":")[2]
        return proxy, ["--http2", "--cacert", authority.cert_file, "--resolve", f"shop.example:{port}:127.0.0.1"], \
            f"https://shop.example:{port}"
    return start


def test_what_a_server_and_a_client_see(both, make_origin):
    origin = make_origin(raw(b"HTTP/1.1 200 Fine\r\nServer: one\r\nX-Two: a\r\nX-Two: b\r\nKeep-Alive: timeout=5\r\nContent-Length: 5\r\n\r\nhello"))
    proxy, how, url = both([origin], route={"response_headers": {"set": {"Strict-Transport-Security": "max-age=5"}}})
    status, fields, body = split(curl("-i", "-H", "Cookie: a=1", "-H", "X-Mixed: Case", *how, url + "/path?q=1"))
    assert status == "HTTP/2 200" and body == b"hello"
    assert [value for name, value in fields if name == "x-two"] == ["a", "b"]
    assert ("strict-transport-security", "max-age=5") in fields and ("content-length", "5") in fields
    assert "date" in dict(fields) and "keep-alive" not in dict(fields)
    request = origin.requests[0]
    scheme = url.partition(":")[0]
    assert request.target == "/path?q=1" and request.headers.get("host") == url.partition("//")[2]
    assert request.headers.get("x-mixed") == "Case" and request.headers.get("cookie") == "a=1"
    assert request.headers.get("via") == "2.0 twokey" and request.headers.get("x-forwarded-proto") == scheme
    line = proxy.access_log(1)[0]
    assert (line["protocol"], line["status"], line["method"]) == ("HTTP/2.0", 200, "GET")
    assert proxy.metrics().value("twokey_listener_h2_connections_total", listener="web") == 1


@pytest.mark.race
def test_bodies_arrive_whole_both_ways(both, make_origin):
    _, how, url = both([make_origin(echo())])
    for body in (["--data-binary", "@-"], ["-X", "POST", "-T", "-"]):  # with a length, and without one
        got = curl(*body, *how, url + "/", stdin=BIG)
        assert hashlib.sha256(got).digest() == hashlib.sha256(BIG).digest()


def test_answers_without_a_body(both, make_origin):
    origin = make_origin({"/head": ok(b"x" * 5000), "/204": raw(response(204)), "/304": raw(response(304, [("ETag", '"e"')])),
                          "/empty": ok(b"")})
    _, how, url = both([origin])
    status, fields, body = split(curl("-I", *how, url + "/head"))
    assert status == "HTTP/2 200" and dict(fields)["content-length"] == "5000" and body == b""
    for path, expected in (("/204", "HTTP/2 204"), ("/304", "HTTP/2 304"), ("/empty", "HTTP/2 200")):
        status, fields, body = split(curl("-i", *how, url + path))
        assert status == expected and body == b""


@pytest.mark.parametrize("both", ["h2"], indirect=True)  # curl 7.88 cannot use a connection of prior knowledge again
def test_answers_of_our_own_leave_the_connection(both, make_origin):
    """404, 413 and 502 end their stream alone: all go over one connection."""
    dead = f"127.0.0.1:{free_port()}"
    proxy, how, url = both([make_origin(ok(b"fine"))], config={
        "pools": {"dead": {"servers": {"s": {"address": dead}}}},
        "routes": {"dead": {"path_prefix": "/dead", "pool": "dead"}, "small": {"path_prefix": "/small", "pool": "app", "limits": {"body": "10B"}},
                   "fixed": {"path_prefix": "/fixed", "respond": {"status": 418, "body": "tea\n"}}}})
    out = curl("-w", "%{http_code} %{num_connects}\\n", "-o", "/dev/null", *how, url + "/dead",
               "--next", "-sS", "-w", "%{http_code} %{num_connects}\\n", "-o", "/dev/null", "-d", "x" * 100, *how, url + "/small",
               "--next", "-sS", "-w", "%{http_code} %{num_connects}\\n", *how, url + "/fixed",
               "--next", "-sS", "-w", "%{http_code} %{num_connects}\\n", *how, url + "/fine")
    assert out.decode().split("\n")[:-1] == ["502 1", "413 0", "tea", "418 0", "fine200 0"], proxy.access_log(4)


def test_many_streams_at_once(both, make_origin):
    origin = make_origin(after(0.01, ok(b"x" * 100)))
    proxy, _, url = both([origin])
    done = subprocess.run(["h2load", "-n", "600", "-c", "2", "-m", "100", url.replace("shop.example", "127.0.0.1") + "/"],
                          capture_output=True, text=True, check=True)
    assert "600 succeeded, 0 failed" in done.stdout, done.stdout
    assert proxy.metrics().value("twokey_listener_requests_total", listener="web") == 600
    assert proxy.metrics().value("twokey_listener_h2_connections_total", listener="web") >= 2


def test_http1_goes_on_beside_it(make_proxy, make_origin, authority):
    """By ALPN, without ALPN, and in clear text; a listener may offer one alone."""
    shop = authority.certificate("shop", "shop.example")
    proxy = make_proxy([make_origin(ok(b"one"))], **tls_listener(authority.directory, shop))
    with TlsClient(proxy.address, name="shop.example", ca=authority) as client:
        assert client.request(host="shop.example").body == b"one" and client.sock.selected_alpn_protocol() is None
    port = proxy.address.rpartition(":")[2]
    how = ["-k", "-w", "%{http_version}", "--resolve", f"shop.example:{port}:127.0.0.1", f"https://shop.example:{port}/"]
    assert curl("--http1.1", *how) == b"one1.1" and curl(*how) == b"one2"
    old = make_proxy([make_origin(ok(b"one"))], **tls_listener(authority.directory, shop, alpn=["http/1.1"]))
    port = old.address.rpartition(":")[2]
    assert curl("-k", "-w", "%{http_version}", f"https://127.0.0.1:{port}/") == b"one1.1"
    assert old.admin_get("/v1/config")["listeners"]["web"]["tls"]["alpn"] == ["http/1.1"]


def test_an_upgrade_to_h2c_is_not_taken_up(make_proxy, make_origin):
    origin = make_origin(ok(b"one"))
    proxy = make_proxy([origin])
    assert curl("--http2", "-w", "%{http_version}", f"http://{proxy.address}/") == b"one1.1"
    assert origin.requests[0].headers.get("upgrade") is None and origin.requests[0].headers.get("http2-settings") is None
