"""RFC 8441, frame by frame: a stream becomes a WebSocket whose server speaks HTTP/1.1; bytes both ways, ends and resets pass through."""
import base64
import hashlib

from support.h2 import (ENABLE_CONNECT_PROTOCOL, GET, H2Client, data, headers, request, reset, window)
from support.origin import CLOSE, before_body, echo_tunnel, ok, raw, response, websocket

CHAT = [*request("CONNECT", "/chat"), (":protocol", "websocket"), ("sec-websocket-version", "13")]
HELLO = bytes([0x81, 0x85, 1, 2, 3, 4]) + bytes(byte ^ (1, 2, 3, 4)[i % 4] for i, byte in enumerate(b"hello"))


def opened(client, stream=1):
    client.send(headers(stream, CHAT, end=False))
    return client.head(stream)


def test_it_is_offered_and_works(make_proxy, make_origin):
    origin = make_origin({"/chat": websocket(), "*": ok()})
    proxy = make_proxy(origin)
    with H2Client(proxy.address) as client:
        assert client.wait_settings()[ENABLE_CONNECT_PROTOCOL] == 1
        answer = opened(client)
        assert answer.status == 200 and not answer.is_over
        assert not {"upgrade", "connection", "sec-websocket-accept"} & set(answer.headers.names())
        client.send(data(1, HELLO))
        client.pump(lambda: answer.body_bytes >= 7)
        assert answer.body == b"\x81\x05hello"
        assert client.request(3, request(path="/beside")).status == 200  # other streams go on
    asked = origin.requests[0]
    assert (asked.method, asked.target, asked.version) == ("GET", "/chat", "1.1")
    assert asked.header("upgrade").lower() == "websocket" and "upgrade" in asked.header("connection").lower()
    assert asked.header("sec-websocket-version") == "13" and len(asked.header("sec-websocket-key")) == 24
    assert asked.header("content-length") is None and not asked.chunked


def test_a_server_that_does_not_switch(make_proxy, make_origin):
    proxy = make_proxy(make_origin([ok(b"no", status=403), ok(b"yes?"), ok(b"x")]))
    with H2Client(proxy.address) as client:
        client.send(headers(1, CHAT, end=False))
        answer = client.answer(1)
        assert answer.status == 403 and answer.body == b"no"
        client.send(headers(3, CHAT, end=False))  # a 200 would mean that it is a WebSocket
        assert client.answer(3).status == 502
        assert client.request(5).status == 200


def test_a_server_that_switches_to_another_protocol(make_proxy, make_origin):
    proxy = make_proxy(make_origin([raw(response(101, [("Connection", "Upgrade"), ("Upgrade", "other")])), ok(b"x")]))
    with H2Client(proxy.address) as client:
        client.send(headers(1, CHAT, end=False))
        assert client.answer(1).status == 502
        assert client.request(3).status == 200


def switching(asked):
    """The 101 that this handshake asks for."""
    accept = base64.b64encode(hashlib.sha1(asked.header("sec-websocket-key").encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    return response(101, [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Accept", accept.decode())])


def accepting_tunnel():
    """Takes the handshake and echoes bytes, of whatever kind."""
    @before_body
    def behave(conn, asked):
        conn.read_body(asked)
        conn.send(switching(asked))
        echo_tunnel(conn)
        return CLOSE
    return behave


def test_much_both_ways(make_proxy, make_origin):
    """More than any window."""
    proxy = make_proxy(make_origin(accepting_tunnel(), keep=False))
    body = bytes(i % 251 for i in range(1_500_000))
    with H2Client(proxy.address, timeout=30) as client:
        answer = opened(client)
        assert client.send_body(1, body, end=False) == len(body)
        client.pump(lambda: answer.body_bytes >= len(body))
        assert answer.body == body and not answer.is_over


def test_ends_pass_through(make_proxy, make_origin):
    origin = make_origin(accepting_tunnel())
    proxy = make_proxy(origin)
    with H2Client(proxy.address) as client:
        answer = opened(client)
        client.send(data(1, b"last words", end=True))
        assert client.answer(1).body == b"last words" and answer.has_ended


def test_a_reset_passes_to_the_server(make_proxy, make_origin):
    origin = make_origin(accepting_tunnel())
    proxy = make_proxy(origin)
    with H2Client(proxy.address) as client:
        opened(client)
        client.send(reset(1))
        origin.wait_for(lambda o: o.connections and not o.connections[0].open)
        proxy.wait_for(lambda: proxy.server("s1")["now"]["in_flight"] == 0)


def test_a_server_that_breaks_resets_the_stream(make_proxy, make_origin):
    def breaks(conn, asked):
        conn.send(switching(asked) + b"words")
        conn.stream.take(1, lambda _: None)
        return conn.reset()
    proxy = make_proxy(make_origin(breaks))
    with H2Client(proxy.address) as client:
        answer = opened(client)
        client.pump(lambda: answer.body == b"words")
        client.send(data(1, b"x"))
        client.answer(1)
        assert answer.reset is not None or answer.has_ended


def test_a_body_before_the_answer_waits(make_proxy, make_origin):
    """What comes before the server's 101 is not part of the handshake, and not lost."""
    proxy = make_proxy(make_origin(accepting_tunnel()))
    with H2Client(proxy.address) as client:
        client.send(headers(1, CHAT, end=False) + data(1, b"early"))
        answer = client.head(1)
        client.pump(lambda: answer.body_bytes >= 5)
        assert answer.body == b"early"


def test_a_window_for_the_tunnel(make_proxy, make_origin):
    proxy = make_proxy(make_origin(accepting_tunnel()))
    with H2Client(proxy.address, first=[(4, 5)]) as client:
        client.opens_windows = False
        answer = opened(client)
        client.send(data(1, b"0123456789"))
        client.pump(lambda: answer.body_bytes >= 5)
        assert client.sync() and answer.body == b"01234"
        client.send(window(1, 5))
        client.pump(lambda: answer.body_bytes >= 10)
        assert answer.body == b"0123456789"


def test_tunnels_beside_requests(make_proxy, make_origin):
    proxy = make_proxy(make_origin({"/chat": accepting_tunnel(), "*": ok(b"x")}))
    with H2Client(proxy.address) as client:
        client.send(b"".join(headers(stream, CHAT, end=False) for stream in range(1, 41, 2)))
        answers = [client.head(stream) for stream in range(1, 41, 2)]
        for number, stream in enumerate(range(1, 41, 2)):
            client.send(data(stream, b"%d" % number))
        assert client.request(101, GET).status == 200
        for number, answer in enumerate(answers):
            client.pump(lambda: answer.body)
            assert answer.body == b"%d" % number
