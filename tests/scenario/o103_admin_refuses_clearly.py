"""What the admin API does not take, it refuses by name: paths, methods, parameters, bodies, callers."""
import socket

import pytest
from support.client import Client


@pytest.fixture
def proxy(make_origin, make_proxy):
    return make_proxy(make_origin())


def refused(proxy, method, path, body=None, headers=None):
    answer = proxy.admin(method, path, body, headers=headers)
    problem = answer.json()
    assert answer.status == problem["status"]
    return answer.status, problem["type"].rsplit("/", 1)[1], problem, answer


def test_methods(proxy):
    status, name, _, answer = refused(proxy, "DELETE", "/v1/status")
    assert (status, name, answer.headers["Allow"]) == (405, "method-not-allowed", "GET, HEAD")
    assert refused(proxy, "GET", "/v1/reload")[3].headers["Allow"] == "POST"
    options = proxy.admin("OPTIONS", "/v1/pools")
    assert options.status == 204 and options.headers["Allow"] == "GET, HEAD"


def test_parameters(proxy):
    status, name, problem, _ = refused(proxy, "POST", "/v1/reload?dryrun=true")
    assert (status, name, problem["parameter"]) == (400, "unknown-parameter", "dryrun")
    assert proxy.admin("GET", "/v1/status?").status == 200


def test_json_says_line_and_column(proxy):
    status, name, problem, _ = refused(proxy, "POST", "/v1/explain", '{"method": "GET",\n "host" "x"}')
    assert (status, name, problem["line"]) == (400, "invalid-json", 2)
    assert problem["column"] > 1
    for body in ("[]", "1", '"x"', '{"host":"a","host":"b"}', "{}{}", '{"host":"\xff"}', "{" * 100000, "nul"):
        assert refused(proxy, "POST", "/v1/explain", body.encode("latin-1"))[:2] == (400, "invalid-json"), body[:20]


def test_fields(proxy):
    status, name, problem, _ = refused(proxy, "POST", "/v1/explain", {"hots": "x", "pth": "/"})
    assert (status, name) == (422, "unknown-field")
    assert [error["pointer"] for error in problem["errors"]] == ["/hots", "/pth"]
    status, name, problem, _ = refused(proxy, "POST", "/v1/explain", {"host": 1, "client_ip": "10.0.0", "listener": "none", "scheme": "ftp",
                                                                       "headers": {"a": 1}, "path": "x"})
    assert (status, name) == (422, "invalid-field")
    assert sorted(error["pointer"] for error in problem["errors"]) == ["/client_ip", "/headers/a", "/host", "/listener", "/path", "/scheme"]
    assert refused(proxy, "POST", "/v1/reload", {"force": True})[:2] == (422, "unknown-field")


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(proxy):
    with Client(proxy.admin_address) as client:
        client.send(b"POST /v1/explain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\nExpect: 100-continue\r\n\r\n")
        assert client.response().status == 413
    assert proxy.admin("GET", "/v1/status").status == 200


def test_a_chunked_body_that_is_too_large_is_refused(proxy):
    with Client(proxy.admin_address) as client:
        client.send(b"POST /v1/explain HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        for _ in range(9):
            client.send(chunk)
        client.send(b"0\r\n\r\n")
        assert client.response().status == 413
    assert proxy.rss() < 200 << 20


def test_a_name_that_somebody_else_points_here_is_refused(proxy):
    port = proxy.admin_address.rpartition(":")[2]
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "[::2]", "0x7f000001"):
        assert refused(proxy, "GET", "/v1/status", headers={"Host": host})[:2] == (403, "bad-host"), host
    for host in ("localhost", f"localhost:{port}", f"127.0.0.1:{port}", "127.1.2.3", f"[::1]:{port}", "LOCALHOST"):
        assert proxy.admin("GET", "/v1/status", headers={"Host": host}).status == 200, host


def test_another_sites_page_cannot_change_anything(proxy):
    before = proxy.status()["running"]["generation"]
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "https://" + proxy.admin_address},
                    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
        assert refused(proxy, "POST", "/v1/reload", headers=headers)[:2] == (403, "bad-origin"), headers
    assert proxy.status()["running"]["generation"] == before
    assert proxy.admin("POST", "/v1/reload", headers={"Origin": "http://" + proxy.admin_address, "Sec-Fetch-Site": "same-origin"}).status == 200
    assert proxy.admin("GET", "/v1/status", headers={"Origin": "http://evil.example"}).status == 200


@pytest.mark.slow
def test_garbage_is_survived(proxy):
    for data in (b"\x00" * 1000, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET " + b"/a" * 40000 + b" HTTP/1.1\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"x: y\r\n" * 20000 + b"\r\n"):
        with socket.create_connection(("127.0.0.1", int(proxy.admin_address.rpartition(":")[2]))) as sock:
            sock.settimeout(10)
            try:
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(65536):
                    pass
            except OSError:
                pass
    assert proxy.admin("GET", "/healthz").status == 200
