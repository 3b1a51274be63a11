"""An Upgrade that the server takes becomes a tunnel: bytes both ways, each with its own end."""
import threading
import time

import pytest

from support.client import Client, build, masked_frame
from support.origin import CLOSE, before_body, ok, raw, response, tunnel, websocket

UPGRADE = [("Connection", "Upgrade"), ("Upgrade", "test")]
ASK = build("GET", "/", UPGRADE)
SWITCH = response(101, [("Connection", "Upgrade"), ("Upgrade", "test")])


def opened(client):
    client.send(ASK)
    answer = client.response()
    assert answer.status == 101 and answer.header("upgrade") == "test"
    assert answer.header("connection").lower() == "upgrade"
    return client


def test_bytes_both_ways(make_proxy, make_origin):
    with Client(make_proxy(make_origin(tunnel())).address) as client:
        opened(client)
        for size in (1, 100, 70000, 1 << 20):
            data = bytes(i % 253 for i in range(size))
            threading.Thread(target=client.send, args=(data,), daemon=True).start()
            assert client.take(size) == data


def test_a_websocket_echoes(make_proxy, make_origin):
    proxy = make_proxy(make_origin(websocket()))
    with Client(proxy.address) as client:
        client.send(build("GET", "/chat", [("Connection", "keep-alive, Upgrade"), ("Upgrade", "websocket"),
                                           ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
                                           ("Sec-WebSocket-Version", "13")]))
        answer = client.response()
        assert answer.status == 101 and answer.header("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        client.send(masked_frame(b"hello"))
        assert client.take(7) == b"\x81\x05hello"
        client.send(masked_frame(b"", 8))
        assert client.take(2) == b"\x88\x00"
        assert client.wait_closed()


def test_bytes_right_behind_the_head_wait_for_the_101(make_proxy, make_origin):
    """What a client sends early is tunnel data, never before the server has agreed."""
    go = threading.Event()

    @before_body
    def behave(conn, request):
        conn.read_body(request)
        go.wait(10)
        assert conn.stream.waiting() == b""
        conn.send(SWITCH)
        got = []
        conn.stream.take(5, got.append)
        conn.send(b"".join(got).upper())
        return CLOSE
    origin = make_origin(behave)
    with Client(make_proxy(origin).address) as client:
        client.send(ASK + b"early")
        origin.wait_for(lambda o: o.heads)
        origin.settle()
        assert origin.connections[0].raw.endswith(b"\r\n\r\n")
        go.set()
        assert client.response().status == 101
        assert client.take(5) == b"EARLY"


def test_bytes_right_behind_the_101(make_proxy, make_origin):
    def behave(conn, _request):
        conn.send(SWITCH + b"welcome")
        conn.wait_peer()
        return CLOSE

    def split(conn, _request):
        conn.send_slowly(SWITCH + b"welcome", 0.0005)
        conn.wait_peer()
        return CLOSE
    proxy = make_proxy(make_origin([behave, split, behave]))
    for _ in range(3):
        with Client(proxy.address) as client:
            opened(client)
            assert client.take(7) == b"welcome"


def test_the_client_ends_first(make_proxy, make_origin):
    """Its FIN arrives there; what the server still says arrives here."""
    def behave(conn, _request):
        conn.send(SWITCH)
        said = conn.wait_peer(10)
        conn.send(b"you said " + said)
        return CLOSE
    with Client(make_proxy(make_origin(behave)).address) as client:
        opened(client)
        client.send(b"goodbye")
        client.half_close()
        assert client.read_until_close() == b"you said goodbye"


def test_the_server_ends_first(make_proxy, make_origin):
    heard = []

    def behave(conn, _request):
        conn.send(SWITCH + b"done")
        conn.half_close()
        heard.append(conn.wait_peer(10))
        return CLOSE
    origin = make_origin(behave)
    with Client(make_proxy(origin).address) as client:
        opened(client)
        assert client.take(4) == b"done"
        assert client.sock.recv(1) == b""
        client.send(b"still here")
        client.half_close()
        origin.wait_for(lambda o: heard)
    assert heard == [b"still here"]


def test_large_amounts_with_a_slow_reader(make_proxy, make_origin):
    total = 24 << 20

    def behave(conn, _request):
        conn.send(SWITCH)
        for _ in range(total >> 16):
            conn.send(b"t" * 65536)
        conn.wait_peer()
        return CLOSE
    proxy = make_proxy(make_origin(behave, keep=False))
    before = proxy.rss()
    with Client(proxy.address, timeout=30, receive_buffer=16384) as client:
        opened(client)
        time.sleep(0.5)
        assert proxy.rss() - before < 24 << 20
        client.stream.keep = False
        client.stream.take(total, lambda piece: None)


def test_a_refused_upgrade_is_plain_http(make_proxy, make_origin):
    origin = make_origin(ok(b"plain"))
    with Client(make_proxy(origin).address) as client:
        client.send(ASK)
        answer = client.response()
        assert (answer.status, answer.body) == (200, b"plain")
        assert client.request(target="/next").body == b"plain"
    assert origin.heads[0].header("upgrade") == "test"
    assert origin.heads[1].header("upgrade") is None


def test_bytes_behind_a_refused_upgrade_are_the_next_request(make_proxy, make_origin):
    origin = make_origin(ok(b"plain"))
    with Client(make_proxy(origin).address) as client:
        client.send(ASK + build("GET", "/next"))
        assert client.response().status == 200
        assert client.response().status == 200
    assert [head.target for head in origin.heads] == ["/", "/next"]


@pytest.mark.parametrize("switch", [
    response(101, [("Connection", "Upgrade"), ("Upgrade", "other")]),
    response(101, [("Connection", "Upgrade")]),
    response(101)])
def test_a_101_to_what_was_not_offered_is_502(make_proxy, make_origin, switch):
    with Client(make_proxy(make_origin(raw(switch + b"secret"))).address) as client:
        client.send(ASK)
        answer = client.response()
        assert answer.status == 502 and b"secret" not in answer.body


def test_h2c_is_never_offered(make_proxy, origin):
    with Client(make_proxy(origin).address) as client:
        answer = client.request(headers=[("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"),
                                         ("HTTP2-Settings", "AAMAAABkAAQAAP__")])
        assert answer.status == 200
    head = origin.heads[0]
    assert head.header("upgrade") is None and head.header("http2-settings") is None


def test_an_upgrade_with_a_body_is_refused(make_proxy, origin):
    with Client(make_proxy(origin).address) as client:
        assert client.request("POST", headers=UPGRADE, body=b"x").status == 400
    assert origin.heads == []


def test_a_silent_tunnel_ends(make_proxy, make_origin):
    origin = make_origin(tunnel())
    proxy = make_proxy(origin, listener={"timeouts": {"tunnel_idle": "300ms"}})
    with Client(proxy.address) as client:
        opened(client)
        began = time.monotonic()
        assert client.wait_closed()
        assert 0.2 < time.monotonic() - began < 8
    origin.wait_for(lambda o: not o.open_connections())
    assert proxy.access_log(1)[0]["failure"] == "tunnel-idle"


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_tunnel_in_which_one_side_speaks_is_not_silent(make_proxy, make_origin, who):
    def speaks(conn, _request):
        conn.send(SWITCH)
        for _ in range(20):
            time.sleep(0.1)
            conn.send(b"x")
        conn.send(b"end")
        conn.wait_peer()
        return CLOSE

    def listens(conn, _request):
        conn.send(SWITCH)
        got = []
        conn.stream.take(20, got.append)
        conn.send(b"x" * 20 + b"end")
        conn.wait_peer()
        return CLOSE
    proxy = make_proxy(make_origin(speaks if who == "server" else listens),
                       listener={"timeouts": {"tunnel_idle": "1500ms"}})
    with Client(proxy.address) as client:
        opened(client)
        if who == "client":
            for _ in range(20):
                time.sleep(0.1)
                client.send(b"x")
        assert client.take(23) == b"x" * 20 + b"end"


def test_a_tunnel_outlives_a_reload(make_proxy, make_origin):
    proxy = make_proxy(make_origin(tunnel()))
    with Client(proxy.address) as client:
        opened(client)
        config = proxy.config
        config["pools"]["app"]["balance"] = "least_requests"
        assert proxy.reload(config).status == 200
        client.send(b"still")
        assert client.take(5) == b"still"
        del config["routes"]["everything"]
        config["routes"]["other"] = {"respond": {"status": 404}}
        del config["pools"]["app"]
        config["pools"]["app2"] = {"servers": {"s1": {"address": "127.0.0.1:9"}}}
        assert proxy.reload(config).status == 200
        client.send(b"still")
        assert client.take(5) == b"still"


def test_a_tunnel_is_in_flight(make_proxy, make_origin):
    proxy = make_proxy(make_origin(tunnel()))
    with Client(proxy.address) as client:
        opened(client)
        assert proxy.metrics().value("twokey_server_in_flight") == 1
        assert proxy.metrics().value("twokey_listener_tunnels_total") == 1
    proxy.wait_for(lambda: proxy.metrics().value("twokey_server_in_flight") == 0)
    entry = proxy.access_log(1)[0]
    assert entry["tunnel"] is True and entry["status"] == 101


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_reset_reaches_the_other_side(make_proxy, make_origin, who):
    def behave(conn, _request):
        conn.send(SWITCH)
        if who == "server":
            time.sleep(0.1)
            return conn.reset()
        conn.wait_peer(10)
        return CLOSE
    origin = make_origin(behave)
    with Client(make_proxy(origin).address) as client:
        opened(client)
        if who == "client":
            client.reset()
            origin.wait_for(lambda o: not o.open_connections())
        else:
            assert client.wait_closed()


def test_a_stop_waits_for_tunnels_only_so_long(make_proxy, make_origin):
    proxy = make_proxy(make_origin(tunnel()), process={"shutdown_timeout": "1s"})
    with Client(proxy.address) as client:
        opened(client)
        began = time.monotonic()
        proxy.stop()
        assert time.monotonic() - began < 8
        assert client.wait_closed()
