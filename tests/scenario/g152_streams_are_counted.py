"""SETTINGS_MAX_CONCURRENT_STREAMS is announced and held; what is over it is refused, and nothing is lost."""
from support.h2 import GET, MAX_CONCURRENT_STREAMS, PROTOCOL_ERROR, REFUSED_STREAM, H2Client, headers, request, reset
from support.origin import CLOSE, before_body, ok


def held(event):
    def behave(conn, asked):
        event.wait(60)
        return ok(asked.target.encode())(conn, asked)
    return behave


def test_a_hundred_are_served_at_once(make_proxy, make_origin, hold):
    origin = make_origin(held(hold))
    proxy = make_proxy(origin)
    with H2Client(proxy.address) as client:
        assert client.wait_settings()[MAX_CONCURRENT_STREAMS] == 100
        client.send(b"".join(headers(1 + 2 * number, request(path=f"/{number}")) for number in range(100)))
        origin.wait_for(lambda o: len(o.heads) == 100)
        hold.set()
        for number in range(100):
            assert client.answer(1 + 2 * number).body == b"/%d" % number
        assert client.request(999).status == 200


def test_not_one_more(make_proxy, make_origin, hold):
    """RFC 9113 §5.1.2: the stream is refused; nghttp2 takes it as the connection's error once its SETTINGS are acknowledged."""
    origin = make_origin(held(hold))
    proxy = make_proxy(origin)
    with H2Client(proxy.address) as client:
        client.wait_settings()
        client.send(b"".join(headers(1 + 2 * number, request(path=f"/{number}")) for number in range(100)))
        origin.wait_for(lambda o: len(o.heads) == 100)
        client.send(headers(201, request(path="/more")))
        answer = client.stream(201)
        client.pump(lambda: answer.is_over or client.goaways)
        assert answer.reset in (REFUSED_STREAM, PROTOCOL_ERROR) or client.goaways[-1][1] == PROTOCOL_ERROR
    with H2Client(proxy.address) as client:
        hold.set()
        assert client.request(1).status == 200
    assert "/more" not in [head.target for head in origin.heads]


def test_what_ended_makes_room(make_proxy, make_origin):
    proxy = make_proxy(make_origin(ok(b"x")))
    with H2Client(proxy.address) as client:
        client.wait_settings()
        for turn in range(5):
            first = 1 + turn * 400
            client.send(b"".join(headers(first + 2 * number, GET) for number in range(100)))
            for number in range(100):
                assert client.answer(first + 2 * number).status == 200


def test_what_was_reset_makes_room(make_proxy, make_origin):
    """Also for the server's connection: the next request gets through."""
    stall = before_body(lambda conn, _request: conn.wait_peer(30) and CLOSE)
    origin = make_origin({"/stall": stall, "*": ok(b"x")})
    proxy = make_proxy(origin)
    with H2Client(proxy.address) as client:
        client.wait_settings()
        for turn in range(3):
            first = 1 + turn * 400
            client.send(b"".join(headers(first + 2 * number, request(path="/stall")) for number in range(60)))
            assert client.sync()
            client.send(b"".join(reset(first + 2 * number) for number in range(60)))
            assert client.sync()
        assert client.request(9999).status == 200
        proxy.wait_for(lambda: proxy.server("s1")["now"]["in_flight"] == 0)
    origin.wait_for(lambda o: all(not o.connections[head.connection].open for head in o.heads if head.target == "/stall"))


def test_streams_of_two_connections_are_apart(make_proxy, make_origin, hold):
    proxy = make_proxy(make_origin({"/held": held(hold), "*": ok(b"x")}))
    with H2Client(proxy.address) as one, H2Client(proxy.address) as two:
        one.wait_settings()
        one.send(b"".join(headers(1 + 2 * number, request(path="/held")) for number in range(100)))
        assert one.sync() and two.request(1).status == 200
        hold.set()
        assert one.answer(199).body == b"/held"
