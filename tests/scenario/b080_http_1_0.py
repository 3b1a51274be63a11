"""HTTP/1.0 on either side."""
import pytest

from support.client import Client, build
from support.origin import CLOSE, chunked, drip, echo, ok, raw


def test_a_1_0_client_is_closed_after_its_answer(make_proxy, make_origin):
    with Client(make_proxy(make_origin(ok(b"hello"))).address) as client:
        answer = client.request(version="1.0")
        assert answer.body == b"hello" and answer.framing == "length"
        assert client.wait_closed()


def test_a_1_0_client_that_keeps_alive(make_proxy, make_origin):
    with Client(make_proxy(make_origin(ok(b"hello"))).address) as client:
        for _ in range(5):
            answer = client.request(headers={"Connection": "keep-alive"}, version="1.0")
            assert answer.body == b"hello" and answer.header("connection").lower() == "keep-alive"


def test_a_1_0_client_without_host(make_proxy, make_origin):
    origin = make_origin()
    with Client(make_proxy(origin).address) as client:
        assert client.request(version="1.0", host=None).status == 200
    assert origin.heads[0].header("host")


def test_a_chunked_answer_becomes_close_delimited(make_proxy, make_origin):
    """Even for one that would keep the connection: there is no other way to end it."""
    origin = make_origin(chunked([b"a" * 1000, b"b" * 1000], [("X-Sum", "1")]))
    proxy = make_proxy(origin, process={"workers": 1})
    for headers in ({}, {"Connection": "keep-alive"}):
        with Client(proxy.address) as client:
            answer = client.request(headers=headers, version="1.0")
            assert answer.framing == "close" and answer.body == b"a" * 1000 + b"b" * 1000
            assert answer.says_close and answer.header("transfer-encoding") is None
    assert len(origin.connections) == 1  # the server's connection was whole, and was kept


def test_a_1_0_post(make_proxy, make_origin):
    with Client(make_proxy(make_origin(echo())).address) as client:
        answer = client.request("POST", headers={"Connection": "keep-alive"}, body=b"abc", version="1.0")
        assert answer.body == b"abc"
        assert client.request("POST", body=b"def", version="1.0").body == b"def"
        assert client.wait_closed()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_server_whose_body_ends_with_its_connection(make_proxy, make_origin, version):
    body = b"until the end " * 10000
    origin = make_origin(raw(b"HTTP/%s 200 OK\r\nX-A: b\r\n\r\n" % version.encode() + body, CLOSE))
    proxy = make_proxy(origin)
    with Client(proxy.address) as client:
        for _ in range(3):
            answer = client.request()
            assert answer.framing == "chunked" and answer.body == body
    with Client(proxy.address) as client:
        answer = client.request(version="1.0")
        assert answer.framing == "close" and answer.body == body


def test_a_close_delimited_body_that_breaks_is_no_end(make_proxy, make_origin):
    def behave(conn, _request):
        conn.send(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 1000)
        import time
        time.sleep(0.1)
        return conn.reset()
    from support.client import Ended
    proxy = make_proxy(make_origin(behave))
    with Client(proxy.address) as client:
        with pytest.raises(Ended):
            client.request()
    with Client(proxy.address) as client:
        with pytest.raises(Ended):
            client.request(version="1.0")


def test_a_1_0_server_that_keeps_alive(make_proxy, make_origin):
    origin = make_origin(raw(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"))
    with Client(make_proxy(origin).address) as client:
        for _ in range(5):
            answer = client.request()
            assert answer.body == b"ok" and answer.version == "1.1" and not answer.says_close
    assert len(origin.connections) == 1


def test_a_1_0_server_that_does_not(make_proxy, make_origin):
    origin = make_origin(raw(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    with Client(make_proxy(origin).address) as client:
        for _ in range(5):
            assert client.request().body == b"ok"
    assert len(origin.connections) == 5


def test_a_1_0_server_with_chunks_is_not_believed(make_proxy, make_origin):
    origin = make_origin(raw(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"))
    with Client(make_proxy(origin).address) as client:
        assert client.request().status == 502


def test_a_slow_1_0_answer(make_proxy, make_origin):
    origin = make_origin(drip(b"HTTP/1.0 200 OK\r\nContent-Length: 30\r\n\r\n" + b"z" * 30, 0.002))
    with Client(make_proxy(origin).address) as client:
        client.send(build(version="1.0"))
        assert client.response().body == b"z" * 30
