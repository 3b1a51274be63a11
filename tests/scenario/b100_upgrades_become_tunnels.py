"""An Upgrade that the server takes becomes a tunnel: bytes both ways, whatever is configured meanwhile."""
import threading
import time

from support.client import Client, build, masked_frame
from support.origin import CLOSE, before_body, tunnel, websocket
from support.upgrade import ASK, SWITCH, opened


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
