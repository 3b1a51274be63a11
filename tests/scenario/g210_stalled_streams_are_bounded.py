"""Clients that ask for much and take nothing: little is kept for them, and timeouts.write_idle ends them."""
import os

import pytest

from support.client import Client
from support.floods import Cost, GoodClient
from support.h2 import GET, INITIAL_WINDOW_SIZE, POST, H2Client, block, continuation, data, headers, request, window
from support.origin import CLOSE, echo, ok, response

MIB = 1 << 20
LARGE = 4 * MIB


def large(conn, _request):
    try:
        conn.send(response(200, [("Content-Length", str(LARGE))]))
        for _ in range(LARGE // 65536):
            conn.send(bytes(65536))
    except OSError:
        return CLOSE
    return None


@pytest.fixture
def origin(make_origin):
    return make_origin({"/large": large, "/echo": echo(), "*": ok()}, keep=False)


@pytest.fixture
def proxy(make_proxy, origin):
    return make_proxy(origin, process={"workers": 1}, listener={"timeouts": {"write_idle": "1s", "headers": "1s", "body_idle": "1s"}})


@pytest.fixture
def patient(make_proxy, origin):
    return make_proxy(origin, process={"workers": 1}, listener={"timeouts": {"write_idle": "4s"}})


@pytest.mark.parametrize("first", [0, 1, 65535], ids=["no window", "a byte", "64 KiB"])
def test_windows_that_never_open(proxy, first):
    """Five connections of a hundred streams of 4 MiB each."""
    with Cost(proxy) as cost, GoodClient(proxy.address) as good:
        clients = [H2Client(proxy.address, first=[(INITIAL_WINDOW_SIZE, first)], keep=False, timeout=20) for _ in range(5)]
        for client in clients:
            client.opens_windows = False
            client.wait_settings()
            client.send(b"".join(headers(1 + 2 * number, request(path="/large")) for number in range(100)))
        for client in clients:
            client.pump(lambda c=client: all(c.stream(1 + 2 * number).is_over for number in range(100)) or c.goaways, 20)
            client.close()
    good.check()
    cost.check(cpu_s=4.0, grown_bytes=80 * MIB)
    proxy.wait_for(lambda: proxy.server("s1")["now"]["in_flight"] == 0)


def test_a_window_of_a_byte_a_second_is_progress_but_bounded(patient):
    """Whoever takes something now and then is served slowly, not cut off; it holds no more than a stream may."""
    with H2Client(patient.address, first=[(INITIAL_WINDOW_SIZE, 0)], timeout=20) as client, GoodClient(patient.address) as good:
        client.opens_windows = False
        client.send(headers(1, GET))
        answer = client.head(1)
        for count in range(1, 4):
            with pytest.raises(TimeoutError):
                client.pump(lambda: client.has_ended or answer.is_over, 1.6)
            client.send(window(1, 1))
            client.pump(lambda n=count: answer.body_bytes >= n)
        assert client.answer(1).body == b"ok\n"
    good.check()


def test_a_head_that_does_not_end(proxy):
    """timeouts.headers, from its first byte on, however it drips."""
    with GoodClient(proxy.address) as good:
        with H2Client(proxy.address, timeout=20) as client:
            client.wait_settings()
            octets = block(GET)
            client.send(headers(1, octets[:1], end_headers=False))
            for at in range(1, len(octets) - 2):
                try:
                    if client.pump(lambda: client.has_ended, 0.25):
                        break
                except TimeoutError:
                    client.send(continuation(1, octets[at:at + 1], end=False))
            assert client.has_ended
        with H2Client(proxy.address, timeout=20) as client:
            client.wait_settings()
            client.send(headers(1, GET)[:12])
            assert client.wait_closed()
    good.check()
    assert proxy.metrics().value("twokey_listener_h2_violations_total", budget="slow_head") == 2


@pytest.mark.parametrize("octets", [b"", b"PRI * HTTP/2.0\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], ids=["nothing", "half a preface", "no SETTINGS"])
def test_a_preface_that_does_not_end(make_proxy, origin, octets):
    proxy = make_proxy(origin, listener={"timeouts": {"headers": "500ms", "keepalive": "500ms"}})
    with Client(proxy.address) as client:
        client.send(octets)
        assert b"HTTP/1.1 200" not in client.read_until_close()


def test_a_body_that_stalls_ends_its_stream_alone(proxy):
    with H2Client(proxy.address, timeout=20) as client:
        client.send(headers(1, request("POST", "/echo"), end=False) + data(1, b"half"))
        answer = client.answer(1)
        assert answer.status == 408 or answer.reset is not None
        assert client.request(3).status == 200


def test_a_client_that_reads_nothing_at_all(proxy):
    """Its windows are open and its socket is full."""
    with Cost(proxy) as cost, GoodClient(proxy.address) as good:
        client = H2Client(proxy.address, first=[(INITIAL_WINDOW_SIZE, 1 << 30)], receive_buffer=4096, timeout=20)
        client.send(window(0, 1 << 30))
        client.send(b"".join(headers(1 + 2 * number, request(path="/large")) for number in range(50)))
        proxy.wait_for(lambda: proxy.server("s1")["now"]["in_flight"] > 0)
        proxy.wait_for(lambda: proxy.server("s1")["now"]["in_flight"] <= 1)
        client.close()
    good.check()
    cost.check(cpu_s=3.0, grown_bytes=32 * MIB)


def test_a_client_that_leaves_ends_everything(proxy, origin):
    with H2Client(proxy.address, first=[(INITIAL_WINDOW_SIZE, 0)]) as client:
        client.send(b"".join(headers(1 + 2 * number, request(path="/large")) for number in range(50)) + headers(101, POST, end=False))
        client.head(1)
    proxy.wait_for(lambda: proxy.server("s1")["now"]["in_flight"] == 0)
    assert os.path.exists(f"/proc/{proxy.pid}")


def test_data_that_is_dribbled(proxy):
    """CVE-2019-9511: windows of a byte make a frame of each byte.  The client pays as much for it as we do."""
    with Cost(proxy) as cost, GoodClient(proxy.address) as good:
        with H2Client(proxy.address, first=[(INITIAL_WINDOW_SIZE, 1)], keep=False, timeout=20) as client:
            client.opens_windows = False
            client.send(window(0, 1 << 20) + headers(1, request(path="/large")))
            answer = client.head(1)
            for turn in range(100):
                if not client.pour(window(1, 1) * 200):
                    break
                client.pump(lambda n=turn: answer.body_bytes >= n * 200 or client.goaways)
    good.check()
    cost.check(cpu_s=2.0, grown_bytes=8 * MIB)
