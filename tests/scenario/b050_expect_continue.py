"""Expect: 100-continue goes to the server, and its word back."""
import time

from support.client import Client, build
from support.origin import CLOSE, before_body, echo, response

EXPECT = [("Expect", "100-continue"), ("Content-Length", "5")]


def test_the_servers_100_is_relayed(make_proxy, make_origin):
    origin = make_origin(echo())
    with Client(make_proxy(origin).address) as client:
        for _ in range(2):
            client.send(build("POST", "/", EXPECT))
            assert client.head().status == 100
            client.send(b"hello")
            assert client.response().body == b"hello"
    assert origin.requests[0].header("expect") == "100-continue"
    assert len(origin.connections) == 1


def test_a_final_answer_instead(make_proxy, make_origin):
    """No body was asked for: the client must not send one, so both connections end."""
    @before_body
    def behave(conn, _request):
        conn.send(response(417, None, b"no"))
        conn.wait_peer()
        return CLOSE
    origin = make_origin(behave)
    with Client(make_proxy(origin).address) as client:
        client.send(build("POST", "/", EXPECT))
        answer = client.response()
        assert (answer.status, answer.body, answer.interim) == (417, b"no", [])
        assert answer.says_close
        assert client.wait_closed()
    origin.wait_for(lambda o: not o.open_connections())
    assert origin.requests == []


def test_a_server_that_never_says_100(make_proxy, make_origin):
    """The client sends its body after a while of its own accord."""
    @before_body
    def behave(conn, request):
        conn.read_body(request)
        conn.send(response(200, None, request.body))
    with Client(make_proxy(make_origin(behave)).address) as client:
        client.send(build("POST", "/", EXPECT))
        time.sleep(0.2)
        client.send(b"hello")
        answer = client.response()
        assert (answer.body, answer.interim) == (b"hello", [])


def test_waiting_for_the_100_is_no_stalled_body(make_proxy, make_origin):
    @before_body
    def behave(conn, request):
        time.sleep(2.0)
        conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        conn.read_body(request)
        conn.send(response(200, None, request.body))
    proxy = make_proxy(make_origin(behave), listener={"timeouts": {"body_idle": "1s"}})
    with Client(proxy.address) as client:
        client.send(build("POST", "/", EXPECT))
        assert client.head().status == 100
        client.send(b"hello")
        assert client.response().body == b"hello"


def test_a_server_that_says_nothing_at_all(make_proxy, make_origin):
    origin = make_origin(before_body(lambda conn, request: conn.wait_peer() and None))
    proxy = make_proxy(origin, pool={"timeouts": {"response": "300ms"}})
    with Client(proxy.address) as client:
        client.send(build("POST", "/", EXPECT))
        assert client.response().status == 504
        assert client.wait_closed()


def test_http_1_0_does_not_expect(make_proxy, make_origin):
    origin = make_origin(echo())
    with Client(make_proxy(origin).address) as client:
        client.send(build("POST", "/", EXPECT, version="1.0") + b"hello")
        answer = client.response()
        assert (answer.body, answer.interim) == (b"hello", [])
    assert origin.requests[0].header("expect") is None


def test_other_expectations_are_417(make_proxy, origin):
    with Client(make_proxy(origin).address) as client:
        assert client.request(headers={"Expect": "the unexpected"}).status == 417
    assert origin.heads == []


def test_our_own_refusal_asks_for_no_body(make_proxy, origin):
    proxy = make_proxy(origin, listener={"limits": {"body": "4B"}})
    with Client(proxy.address) as client:
        client.send(build("POST", "/", EXPECT))
        answer = client.response()
        assert answer.status == 413 and answer.interim == [] and answer.says_close
        assert client.wait_closed()
    assert origin.heads == []


def test_a_body_sent_without_waiting(make_proxy, make_origin):
    origin = make_origin(echo())
    with Client(make_proxy(origin).address) as client:
        client.send(build("POST", "/", EXPECT) + b"hello" + build("GET", "/second"))
        assert client.response().body == b"hello"
        assert client.response().status == 200
