"""Origin form, absolute form, asterisk, and CONNECT, which is refused."""
from support.client import Client, build


def test_absolute_form_replaces_host(make_proxy, origin):
    with Client(make_proxy(origin).address) as client:
        client.send(b"GET http://Real.Example:8080/a?b HTTP/1.1\r\nHost: other.example\r\n\r\n")
        assert client.response().status == 200
        client.send(b"GET HTTP://real.example HTTP/1.1\r\nHost: real.example\r\n\r\n")
        assert client.response().status == 200
        client.send(b"GET http://real.example?q=1 HTTP/1.1\r\nHost: real.example\r\n\r\n")
        assert client.response().status == 200
    first, second, third = origin.wait_requests(3)
    assert first.target == "/a?b" and first.header("host").lower() == "real.example:8080"
    assert second.target == "/" and third.target == "/?q=1"


def test_another_scheme_is_refused(make_proxy, origin):
    with Client(make_proxy(origin).address) as client:
        client.send(b"GET https://real.example/ HTTP/1.1\r\nHost: real.example\r\n\r\n")
        assert client.response().status == 400
    assert origin.heads == []


def test_options_asterisk(make_proxy, origin):
    with Client(make_proxy(origin).address) as client:
        client.send(build("OPTIONS", "*"))
        assert client.response().status == 200
        client.send(b"OPTIONS http://real.example HTTP/1.1\r\nHost: real.example\r\n\r\n")
        assert client.response().status == 200
        client.send(build("GET", "*"))
        assert client.response().status == 400
    assert [request.target for request in origin.wait_requests(2)] == ["*", "*"]


def test_connect_is_refused(make_proxy, origin):
    with Client(make_proxy(origin).address) as client:
        client.send(b"CONNECT real.example:443 HTTP/1.1\r\nHost: real.example:443\r\n\r\n")
        answer = client.response("CONNECT")
        assert answer.status in (405, 501) and answer.says_close
    assert origin.heads == []


def test_trace_is_refused(make_proxy, origin):
    with Client(make_proxy(origin).address) as client:
        answer = client.request("TRACE")
        assert answer.status == 405 and "GET" in answer.header("allow")
    assert origin.heads == []
