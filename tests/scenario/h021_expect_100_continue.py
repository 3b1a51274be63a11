"""Expect: 100-continue: the client's body is asked for by the origin, or not at all."""

from support.client import Client, build
from support.origin import before_body, early, echo, response

HEAD = build("POST", headers={"Expect": "100-continue", "Content-Length": "5"})


def test_the_origin_asks_and_the_body_follows(make_proxy, make_origin):
    origin = make_origin(echo())
    with Client(make_proxy(origin).address) as client:
        client.send(HEAD)
        assert client.head().status == 100
        client.send(b"hello")
        assert client.response().body == b"hello"
        assert client.request("POST", body=b"again").body == b"again"
    assert origin.wait_requests(2)[0].body == b"hello"


def test_the_origin_refuses_and_no_body_is_needed(make_proxy, make_origin):
    origin = make_origin(early(response(401)))
    with Client(make_proxy(origin).address) as client:
        client.send(HEAD)
        answer = client.response()
        assert answer.status == 401 and not answer.interim
        assert answer.says_close and client.wait_closed(), "the body may or may not come: the connection cannot go on"


def test_the_refused_body_is_not_read_as_a_request(make_proxy, make_origin):
    origin = make_origin({"/": early(response(403))})
    with Client(make_proxy(origin).address) as client:
        body = build(target="/evil")
        client.send(build("POST", headers={"Expect": "100-continue", "Content-Length": str(len(body))}))
        assert client.response().status == 403
        client.try_send(body)
        assert client.read_until_close() == b""
    origin.settle()
    assert [head.target for head in origin.heads] == ["/"]


def test_a_body_that_does_not_wait_is_sent(make_proxy, make_origin):
    origin = make_origin(echo())
    with Client(make_proxy(origin).address) as client:
        client.send(HEAD + b"hello")
        assert client.response().body == b"hello"


def test_an_origin_that_reads_without_asking(make_proxy, make_origin):
    @before_body
    def silent(conn, request):
        conn.read_body(request)
        conn.send(response(200, None, request.body))
    origin = make_origin(silent)
    with Client(make_proxy(origin).address) as client:
        client.send(HEAD)
        origin.wait_for(lambda o: o.heads)
        client.send(b"hello")
        assert client.response().body == b"hello"
