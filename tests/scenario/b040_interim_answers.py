"""1xx: relayed as they come, never to HTTP/1.0, 100 only to those that asked for it."""
import threading

from support.client import Client, build
from support.origin import CLOSE, before_body, interim, ok, raw, response

HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"


def test_several_are_relayed_in_order(make_proxy, make_origin):
    other = HINT.replace(b"a.css", b"b.js")
    processing = b"HTTP/1.1 102 Processing\r\n\r\n"
    origin = make_origin(interim([HINT, processing, other], ok(b"end")))
    with Client(make_proxy(origin).address) as client:
        for _ in range(2):
            answer = client.request()
            assert [(i.status, i.header("link")) for i in answer.interim] == [
                (103, "</a.css>; rel=preload"), (102, None), (103, "</b.js>; rel=preload")]
            assert answer.body == b"end"


def test_a_hint_arrives_before_the_answer_exists(make_proxy, make_origin):
    go = threading.Event()

    def behave(conn, _request):
        conn.send(HINT)
        go.wait(10)
        conn.send(response(200, None, b"late"))
    with Client(make_proxy(make_origin(behave)).address) as client:
        client.send(build())
        assert client.head().status == 103
        go.set()
        assert client.response().body == b"late"


def test_none_to_http_1_0(make_proxy, make_origin):
    origin = make_origin(interim([HINT], ok(b"end")))
    with Client(make_proxy(origin).address) as client:
        answer = client.request(version="1.0")
        assert answer.interim == [] and answer.body == b"end"


def test_a_100_that_nobody_expected_is_swallowed(make_proxy, make_origin):
    origin = make_origin(interim([b"HTTP/1.1 100 Continue\r\n\r\n", HINT], ok(b"end")))
    with Client(make_proxy(origin).address) as client:
        answer = client.request("POST", body=b"abc")
        assert [i.status for i in answer.interim] == [103] and answer.body == b"end"


def test_hop_by_hop_fields_stay_behind(make_proxy, make_origin):
    said = b"HTTP/1.1 103 Early Hints\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nLink: </a>\r\n\r\n"
    with Client(make_proxy(make_origin(interim([said], ok()))).address) as client:
        hint = client.request().interim[0]
        assert hint.header("link") == "</a>"
        assert not {"connection", "x-hop", "keep-alive"} & set(hint.headers.names())


def test_after_an_interim_answer_that_says_it_has_a_body_the_connection_is_not_kept(make_proxy, make_origin):
    said = b"HTTP/1.1 103 Early Hints\r\nContent-Length: 4\r\n\r\n"
    origin = make_origin(interim([said], ok(b"end")))
    with Client(make_proxy(origin).address) as client:
        for _ in range(2):
            answer = client.request()
            assert (answer.body, [i.status for i in answer.interim]) == (b"end", [103])
    assert len({head.connection for head in origin.heads}) == 2


def test_interim_answers_without_end_are_cut_off(make_proxy, make_origin):
    origin = make_origin(raw(HINT * 1000))
    with Client(make_proxy(origin).address) as client:
        assert client.request().status == 502


def test_an_unasked_101_is_a_502(make_proxy, make_origin):
    said = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
    with Client(make_proxy(make_origin(raw(said))).address) as client:
        assert client.request().status == 502


def test_a_server_that_ends_after_an_interim_answer(make_proxy, make_origin):
    """The client has seen a 103; the request is not tried again."""
    origin = make_origin(raw(HINT, CLOSE))
    with Client(make_proxy(origin).address) as client:
        answer = client.request()
        assert (answer.status, [i.status for i in answer.interim]) == (502, [103])
    assert len(origin.heads) == 1


def test_interim_answers_while_the_body_is_uploaded(make_proxy, make_origin):
    @before_body
    def behave(conn, request):
        conn.send(HINT)
        conn.read_body(request)
        conn.send(HINT + response(200, None, request.body))
    with Client(make_proxy(make_origin(behave)).address) as client:
        client.send(build("POST", "/", [("Content-Length", "6")]) + b"abc")
        assert client.head().status == 103
        client.send(b"def")
        answer = client.response()
        assert (answer.body, [i.status for i in answer.interim]) == (b"abcdef", [103])
