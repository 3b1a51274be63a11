"""Each side of a tunnel has its own end; a reset, silence and a stop end both."""
import time

import pytest

from support.client import Client
from support.origin import CLOSE, tunnel
from support.upgrade import SWITCH, opened


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
        for _ in range(50):
            time.sleep(0.1)
            conn.send(b"x")
        conn.send(b"end")
        conn.wait_peer()
        return CLOSE

    def listens(conn, _request):
        conn.send(SWITCH)
        got = []
        conn.stream.take(50, got.append)
        conn.send(b"x" * 50 + b"end")
        conn.wait_peer()
        return CLOSE
    proxy = make_proxy(make_origin(speaks if who == "server" else listens),
                       listener={"timeouts": {"tunnel_idle": "4s"}})
    with Client(proxy.address) as client:
        opened(client)
        if who == "client":
            for _ in range(50):
                time.sleep(0.1)
                client.send(b"x")
        assert client.take(53) == b"x" * 50 + b"end"


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
