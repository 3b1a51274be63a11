"""What a server says in HTTP/1.1 is said in HTTP/2: heads, bodies of every framing, 1xx, trailers, and answers that break."""
import pytest

from support.h2 import GET, NO_ERROR, POST, H2Client, data, headers, request
from support.origin import CLOSE, before_body, chunked, close_after, echo, interim, ok, raw, response

BODY = bytes(i % 251 for i in range(300_000))


def answer_to(make_proxy, make_origin, behaviour, fields=GET, body=None):
    origin = make_origin(behaviour)
    with H2Client(make_proxy(origin).address) as client:
        return client.request(1, fields, body)


@pytest.mark.parametrize("behaviour", [ok(BODY), chunked([BODY[:100_000], BODY[100_000:]]), raw(b"HTTP/1.1 200 OK\r\n\r\n" + BODY, CLOSE),
                                       raw(b"HTTP/1.0 200 OK\r\nContent-Length: 300000\r\n\r\n" + BODY, CLOSE)],
                         ids=["length", "chunked", "until it closes", "HTTP/1.0"])
def test_bodies_of_every_framing(make_proxy, make_origin, behaviour):
    answer = answer_to(make_proxy, make_origin, behaviour)
    assert answer.status == 200 and answer.has_ended and answer.body == BODY


@pytest.mark.parametrize("behaviour", [ok(b""), chunked([]), raw(b"HTTP/1.1 200 OK\r\n\r\n", CLOSE)], ids=["length", "chunked", "until it closes"])
def test_bodies_of_nothing(make_proxy, make_origin, behaviour):
    answer = answer_to(make_proxy, make_origin, behaviour)
    assert answer.status == 200 and answer.has_ended and answer.body == b""


def test_fields_of_one_connection_stay_there(make_proxy, make_origin):
    """The client of these tests takes none of them; and names are in lower case."""
    answer = answer_to(make_proxy, make_origin, raw(response(200, [
        ("Connection", "close, X-Hop"), ("X-Hop", "1"), ("Keep-Alive", "timeout=5"), ("Proxy-Connection", "close"), ("X-MiXed", "Kept"),
        ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")], b"ok")))
    assert answer.header("x-mixed") == "Kept" and answer.header("x-hop") is None
    assert answer.headers.all("set-cookie") == ["a=1", "b=2"]


def test_head_has_a_length_and_no_body(make_proxy, make_origin):
    answer = answer_to(make_proxy, make_origin, ok(b"hello"), request("HEAD"))
    assert answer.status == 200 and answer.has_ended and answer.body == b"" and answer.header("content-length") == "5"


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_a_body(make_proxy, make_origin, status):
    answer = answer_to(make_proxy, make_origin, raw(response(status, [("ETag", '"1"')])))
    assert answer.status == status and answer.has_ended and answer.body == b"" and answer.header("etag") == '"1"'


def test_a_304_that_names_a_length_swallows_nothing(make_proxy, make_origin):
    origin = make_origin([raw(response(304, [("Content-Length", "100")])), ok(b"next")])
    with H2Client(make_proxy(origin).address) as client:
        assert client.request(1).status == 304
        assert client.request(3).body == b"next"


def test_interim_answers_come_first(make_proxy, make_origin):
    hints = [b"HTTP/1.1 103 Early Hints\r\nLink: </%d>\r\n\r\n" % number for number in range(3)]
    answer = answer_to(make_proxy, make_origin, interim(hints, ok(b"done")))
    assert [(status, fields.get("link")) for status, fields in answer.interim] == [(103, f"</{number}>") for number in range(3)]
    assert answer.status == 200 and answer.body == b"done"


def test_100_continue_before_the_body_is_sent(make_proxy, make_origin):
    proxy = make_proxy(make_origin(echo()))
    with H2Client(proxy.address) as client:
        client.send(headers(1, [*POST, ("expect", "100-continue"), ("content-length", "5")], end=False))
        answer = client.stream(1)
        client.pump(lambda: answer.interim)
        assert answer.interim[0][0] == 100
        client.send(data(1, b"hello", end=True))
        assert client.answer(1).body == b"hello"


def test_trailers_end_the_stream(make_proxy, make_origin):
    answer = answer_to(make_proxy, make_origin, chunked([b"a", b"b"], [("X-Checksum", "7"), ("Grpc-Status", "0")]), [*GET, ("te", "trailers")])
    assert answer.body == b"ab" and answer.has_ended
    assert answer.trailers == [("x-checksum", "7"), ("grpc-status", "0")]


def test_trailers_behind_no_body(make_proxy, make_origin):
    answer = answer_to(make_proxy, make_origin, chunked([], [("Grpc-Status", "5")]), [*GET, ("te", "trailers")])
    assert answer.body == b"" and answer.trailers == [("grpc-status", "5")]


@pytest.mark.parametrize("behaviour", [close_after(60, response(200, None, b"b" * 1000)), raw(
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", CLOSE), raw(
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n", CLOSE)], ids=["length", "chunked", "a bad chunk"])
def test_an_answer_that_breaks_is_never_a_clean_end(make_proxy, make_origin, behaviour):
    """Its stream is reset, the others go on."""
    origin = make_origin({"/breaks": behaviour, "*": ok(b"good")})
    with H2Client(make_proxy(origin).address) as client:
        client.send(headers(1, request(path="/breaks")) + headers(3, GET))
        assert client.answer(3).body == b"good"
        answer = client.answer(1)
        assert not answer.has_ended and answer.reset not in (None, NO_ERROR)
        assert client.request(5).body == b"good"


@pytest.mark.parametrize("said", [b"HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\nX A: b\r\nContent-Length: 0\r\n\r\n",
                                  b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", b"garbage\r\n\r\n",
                                  b"HTTP/1.1 200 OK\r\nX-A: a\rb\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"],
                         ids=["NUL", "a space in a name", "two lengths", "garbage", "CR", "101"])
def test_what_a_server_may_not_say_is_502(make_proxy, make_origin, said):
    assert answer_to(make_proxy, make_origin, raw(said, CLOSE)).status == 502


def test_an_early_answer_ends_the_upload_and_not_the_connection(make_proxy, make_origin):
    @before_body
    def early(conn, _request):
        conn.send(response(403, [("Connection", "close")], b"no"))
        conn.half_close()
        conn.wait_peer(10)
        return CLOSE
    origin = make_origin({"/early": early, "*": echo()})
    with H2Client(make_proxy(origin).address) as client:
        client.send(headers(1, request("POST", "/early"), end=False) + data(1, b"x" * 1000))
        answer = client.answer(1)
        assert answer.status == 403 and answer.body == b"no"
        client.send(data(1, b"x" * 1000))  # it was on its way
        assert client.request(3, POST, b"hello").body == b"hello"
        client.pump(lambda: answer.reset is not None)  # the rest is not wanted (RFC 9113 §8.1)
        assert answer.reset == NO_ERROR


def test_our_own_answer_while_the_body_is_on_its_way(make_proxy, origin):
    proxy = make_proxy(origin, listener={"limits": {"body": "10KiB"}})
    with H2Client(proxy.address) as client:
        client.send(headers(1, POST, end=False))
        client.send_body(1, bytes(50_000))
        answer = client.answer(1)
        assert answer.status == 413 or answer.reset is not None
        assert client.request(3).status == 200


def test_a_hundred_at_once_of_all_sizes(make_proxy, make_origin):
    def sized(conn, asked):
        size = int(asked.target.rpartition("/")[2])
        conn.send(response(200, None, BODY[:size]))
    proxy = make_proxy(make_origin(sized))
    with H2Client(proxy.address) as client:
        sizes = [(number * 733) % 100_000 for number in range(100)]
        client.wait_settings()
        client.send(b"".join(headers(1 + 2 * number, request(path=f"/{size}")) for number, size in enumerate(sizes)))
        for number, size in enumerate(sizes):
            assert client.answer(1 + 2 * number).body == BODY[:size]


def test_a_head_longer_than_a_frame(make_proxy, make_origin):
    """HEADERS and CONTINUATION, with nothing between."""
    fields = [(f"X-Long-{number}", "v" * 5000) for number in range(8)]
    answer = answer_to(make_proxy, make_origin, ok(b"body", fields))
    assert answer.body == b"body" and [answer.header(f"x-long-{number}") for number in range(8)] == ["v" * 5000] * 8


def test_many_different_fields_stay_readable(make_proxy, make_origin):
    """The server's HPACK table is filled and pushed out, and both ends stay in step."""
    def told(conn, asked):
        conn.send(response(200, [(f"X-{asked.target[1:]}-{number}", "v" * 100) for number in range(20)], b"ok"))
    proxy = make_proxy(make_origin(told))
    with H2Client(proxy.address) as client:
        for number in range(60):
            answer = client.request(1 + 2 * number, request(path=f"/{number}"))
            assert answer.header(f"x-{number}-19") == "v" * 100


def test_a_stream_that_the_client_resets_ends_at_the_server(make_proxy, make_origin):
    from support.h2 import reset
    origin = make_origin({"/stall": before_body(lambda conn, _request: conn.wait_peer(30) and CLOSE), "*": ok()})
    with H2Client(make_proxy(origin).address) as client:
        client.send(headers(1, request(path="/stall")))
        origin.wait_for(lambda o: o.heads)
        client.send(reset(1))
        origin.wait_for(lambda o: not o.connections[o.heads[0].connection].open)
        assert client.request(3).status == 200
