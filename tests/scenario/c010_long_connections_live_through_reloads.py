"""Downloads, uploads, event streams and WebSockets that began before a reload end as if there had been none."""
import pytest

from support.client import Client, build, masked_frame
from support.origin import before_body, chunked, named, response, websocket


def reload_with_everything_else(proxy, times=3):
    """The pool, the route and the servers that those connections use are no longer in the configuration."""
    config = proxy.config
    for turn in range(times):
        config["pools"]["other"] = {"servers": {"x1": {"address": f"127.0.0.1:{9 + turn}"}}}
        config["pools"].pop("app", None)
        config["routes"] = {"elsewhere": {"path": f"/elsewhere/{turn}", "pool": "other"}}
        assert proxy.reload().status == 200


def steps(count):
    import threading
    return [threading.Event() for _ in range(count)]


@pytest.mark.race
def test_a_download(make_proxy, make_origin):
    go_on, = steps(1)

    def behave(conn, request):
        conn.send(response(200, {"Content-Length": 2000000}))
        conn.send(b"a" * 1000000)
        assert go_on.wait(30)
        conn.send(b"b" * 1000000)

    proxy = make_proxy(make_origin(behave))
    with Client(proxy.address) as client:
        client.send(build())
        assert client.head().status == 200
        assert client.take(1000) == b"a" * 1000
        reload_with_everything_else(proxy)
        go_on.set()
        rest = client.take(2000000 - 1000)
        assert rest == b"a" * 999000 + b"b" * 1000000
        client.send(build())
        assert client.response().status == 404
    proxy.wait_for(lambda: proxy.metrics().value("twokey_snapshots_alive") == 1)


def test_an_upload(make_proxy, make_origin):
    @before_body
    def behave(conn, request):
        conn.read_body(request)
        conn.send(response(200, None, str(request.body_bytes).encode()))

    origin = make_origin(behave)
    proxy = make_proxy(origin)
    with Client(proxy.address) as client:
        client.send(build("POST", headers={"Content-Length": 200000}))
        client.send(b"x" * 100000)
        origin.wait_for(lambda o: o.heads)
        reload_with_everything_else(proxy)
        client.send(b"y" * 100000)
        assert client.response("POST").body == b"200000"


def test_an_event_stream(make_proxy, make_origin):
    go_on = steps(3)

    def behave(conn, request):
        conn.send(response(200, [("Transfer-Encoding", "chunked"), ("Content-Type", "text/event-stream")]))
        for number, step in enumerate(go_on):
            assert step.wait(30)
            conn.send(b"8\r\ndata: %d\n\r\n" % number)
        conn.send(b"0\r\n\r\n")

    proxy = make_proxy(make_origin(behave))
    with Client(proxy.address) as client:
        client.send(build())
        assert client.head().status == 200
        body = b""
        for number, step in enumerate(go_on):
            reload_with_everything_else(proxy, 1)
            step.set()
            while b"data: %d" % number not in body:
                body += client.take(1)
        assert client.take(2) == b"\n\r" or body


@pytest.mark.race
def test_a_websocket(make_proxy, make_origin):
    proxy = make_proxy(make_origin(websocket()))
    with Client(proxy.address) as client:
        client.send(build(headers={"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"}))
        assert client.head().status == 101
        for turn in range(4):
            client.send(masked_frame(b"hello %d" % turn))
            assert client.take(9) == b"\x81\x07hello %d" % turn
            reload_with_everything_else(proxy, 1)
        client.send(masked_frame(b"", opcode=8))
        assert client.take(2)[0] == 0x88
    proxy.wait_for(lambda: proxy.metrics().value("twokey_snapshots_alive") == 1)


def test_a_websocket_on_a_listener_that_is_taken_away(make_proxy, make_origin):
    from support.proxy import free_port
    extra = f"127.0.0.1:{free_port()}"
    proxy = make_proxy(make_origin(websocket()), config={"listeners": {"extra": {"address": extra}}})
    with Client(extra) as client:
        client.send(build(headers={"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"}))
        assert client.head().status == 101
        del proxy.config["listeners"]["extra"]
        assert proxy.reload().status == 200
        for turn in range(3):
            client.send(masked_frame(b"hello %d" % turn))
            assert client.take(9) == b"\x81\x07hello %d" % turn


def test_an_idle_connection_is_kept_and_uses_the_new_configuration(make_proxy, make_origin):
    proxy = make_proxy(make_origin(named("old")))
    with Client(proxy.address) as client:
        assert client.request().body == b"old"
        proxy.config["pools"]["app"]["servers"] = {"s9": {"address": make_origin(named("new")).address}}
        assert proxy.reload().status == 200
        for _ in range(5):
            assert client.request().body == b"new"


def test_idle_connections_to_servers_that_are_gone_are_closed(make_proxy, make_origin):
    old, new = make_origin(named("old")), make_origin(named("new"))
    proxy = make_proxy({"s1": old}, process={"workers": 1})
    with Client(proxy.address) as client:
        assert client.request().body == b"old"
        assert len(old.open_connections()) == 1
        proxy.config["pools"]["app"]["servers"] = {"s2": {"address": new.address}}
        assert proxy.reload().status == 200
        old.wait_for(lambda o: not o.open_connections())


def test_a_connection_in_use_while_its_server_goes_is_not_kept_for_another(make_proxy, make_origin):
    """The place of a server that is gone is given to the next one: its old connection must not be."""
    go_on, = steps(1)

    def slow(conn, request):
        assert go_on.wait(30)
        return named("old")(conn, request)

    old, new = make_origin(slow), make_origin(named("new"))
    proxy = make_proxy({"s1": old}, process={"workers": 1})
    with Client(proxy.address) as busy, Client(proxy.address) as client:
        busy.send(build())
        old.wait_for(lambda o: o.heads)
        proxy.config["pools"]["app"]["servers"] = {"s2": {"address": new.address}}
        assert proxy.reload().status == 200
        go_on.set()
        assert busy.response().body == b"old"
        proxy.wait_for(lambda: proxy.metrics().value("twokey_snapshots_alive") == 1)
        for turn in range(6):
            name = f"n{turn}"
            proxy.config["pools"]["app"]["servers"] = {name: {"address": new.address}}
            assert proxy.reload().status == 200
            assert client.request().body == b"new" and busy.request().body == b"new"
    assert len(old.requests) == 1
    assert chunked
