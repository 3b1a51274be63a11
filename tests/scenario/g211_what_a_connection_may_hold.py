"""A hundred streams of one client that take nothing share what is kept for it; those that take go on."""
import pytest

from support.h2 import INITIAL_WINDOW_SIZE, H2Client, headers, request, window
from support.h2_origin import H2Origin, h2_ok, h2_pool
from support.origin import CLOSE, response

KIB = 1 << 10
MIB = 1 << 20
LARGE = 512 * KIB
STREAMS = range(1, 200, 2)


def large(conn, _request):
    try:
        conn.send(response(200, [("Content-Length", str(LARGE))]) + bytes(LARGE))
    except OSError:
        return CLOSE
    return None


def stalled(proxy):
    """Takes no body of 99 answers, of which every head has come."""
    client = H2Client(proxy.address, first=[(INITIAL_WINDOW_SIZE, 0)], keep=False, timeout=30)
    client.opens_windows = False
    client.wait_settings()
    client.send(window(0, 1 << 30) + b"".join(headers(stream, request(path="/large")) for stream in STREAMS[:-1]))
    client.pump(lambda: all(client.stream(stream).status == 200 for stream in STREAMS[:-1]))
    return client


def taken(proxy):
    """Bytes that were read of the server."""
    return proxy.metrics().value("twokey_server_received_bytes_total", server="s1")


@pytest.mark.parametrize("speaks", ["h1", "h2"])
def test_what_is_kept_for_a_connection_is_bounded(make_proxy, make_origin, speaks):
    more = {"speaks": H2Origin} if speaks == "h2" else {}
    origin = make_origin(h2_ok(bytes(LARGE)) if speaks == "h2" else large, keep=False, **more)
    proxy = make_proxy([origin], process={"workers": 1}, listener={"timeouts": {"write_idle": "2m"}}, **({"pool": h2_pool()} if speaks == "h2" else {}))
    with stalled(proxy) as client:
        with pytest.raises(TimeoutError):
            client.pump(lambda: client.has_ended, 1.0)
        # Half a MiB and a little more than 16 KiB a stream; of a server that speaks HTTP/2, a window a stream.
        assert taken(proxy) < (9 if speaks == "h2" else 4) * MIB
        last = STREAMS[-1]
        client.send(headers(last, request(path="/large")) + window(last, LARGE))
        client.pump(lambda: client.stream(last).has_ended)
        assert client.stream(last).body_bytes == LARGE
        # Nothing was lost of the others, and they go on once they are taken.
        client.send(b"".join(window(stream, LARGE) for stream in STREAMS[:-1]))
        client.pump(lambda: all(client.stream(stream).has_ended for stream in STREAMS[:-1]))
        assert {client.stream(stream).body_bytes for stream in STREAMS[:-1]} == {LARGE}
