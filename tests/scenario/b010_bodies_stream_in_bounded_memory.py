"""Bodies of any size go through in bounded memory, whoever is slow."""
import threading
import time

import pytest

from support.client import Client, build
from support.origin import CLOSE, before_body, response

MIB = 1 << 20
PIECE = bytes(range(256)) * 1024  # 256 KiB
GROWTH = 48 * MIB


def sends(total, pause=0.0):
    """A response of `total` bytes."""
    def behave(conn, _request):
        conn.send(response(200, [("Content-Length", str(total))]))
        for _ in range(total // len(PIECE)):
            conn.send(PIECE)
            if pause:
                time.sleep(pause)
    return behave


def counts_slowly(pause=0.0):
    """Reads the body with a pause before each piece; answers with its length."""
    @before_body
    def behave(conn, request):
        left = int(request.header("content-length"))
        total = left

        def slow(piece):
            if pause:
                time.sleep(pause)
        request.is_read = True
        conn.stream.take(left, slow)
        conn.send(response(200, None, str(total).encode()))
    return behave


def upload(client, total, pause=0.0):
    client.send(build("POST", "/", [("Content-Length", str(total))]))
    for _ in range(total // len(PIECE)):
        client.send(PIECE)
        if pause:
            time.sleep(pause)


class Peak:
    """The growth of the process's resident memory meanwhile."""

    def __init__(self, proxy):
        self.proxy, self.before, self.most, self.over = proxy, proxy.rss(), 0, threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self):
        while not self.over.wait(0.02):
            try:
                self.most = max(self.most, self.proxy.rss())
            except OSError:
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    @property
    def growth(self):
        return self.most - self.before


@pytest.mark.timeout(90)
def test_a_large_download(make_proxy, make_origin):
    total = 256 * MIB
    proxy = make_proxy(make_origin(sends(total), keep=False))
    with Peak(proxy) as peak, Client(proxy.address, timeout=60) as client:
        client.send(build())
        assert client.response(keep=False).body_bytes == total
    assert peak.growth < GROWTH


@pytest.mark.timeout(90)
def test_a_large_upload(make_proxy, make_origin):
    total = 256 * MIB
    proxy = make_proxy(make_origin(counts_slowly(), keep=False))
    with Peak(proxy) as peak, Client(proxy.address, timeout=60) as client:
        upload(client, total)
        assert client.response().body == str(total).encode()
    assert peak.growth < GROWTH


def test_a_slow_reader_stops_the_server(make_proxy, make_origin):
    """The client reads nothing for a while: the server must be made to wait, not the memory to grow."""
    total = 64 * MIB
    sent = []

    def behave(conn, _request):
        conn.send(response(200, [("Content-Length", str(total))]))
        for _ in range(total // len(PIECE)):
            conn.send(PIECE)
            sent.append(len(PIECE))
    proxy = make_proxy(make_origin(behave, keep=False))
    with Peak(proxy) as peak, Client(proxy.address, timeout=30, receive_buffer=16384) as client:
        client.send(build())
        client.head()
        seen = -1
        while sum(sent) != seen:  # until it stands still
            seen = sum(sent)
            time.sleep(0.5)
        assert seen < total // 2
        client.stream.keep = False
        client.stream.take(total, lambda piece: None)
    assert peak.growth < GROWTH


def test_a_slow_origin_stops_the_client(make_proxy, make_origin):
    total = 64 * MIB
    go = threading.Event()

    @before_body
    def behave(conn, request):
        go.wait(30)
        request.is_read = True
        conn.stream.take(total, lambda piece: None)
        conn.send(response(200, None, b"all"))
    proxy = make_proxy(make_origin(behave, keep=False))
    sent = []
    with Peak(proxy) as peak, Client(proxy.address, timeout=30) as client:
        def pour():
            client.send(build("POST", "/", [("Content-Length", str(total))]))
            for _ in range(total // len(PIECE)):
                client.send(PIECE)
                sent.append(len(PIECE))
        pourer = threading.Thread(target=pour, daemon=True)
        pourer.start()
        seen = -1
        while sum(sent) != seen or seen == 0:
            seen = sum(sent)
            time.sleep(0.5)
        assert seen < total // 2
        go.set()
        assert client.response().body == b"all"
        pourer.join()
    assert peak.growth < GROWTH


def test_both_ways_at_once(make_proxy, make_origin):
    """An echo: each side's bytes while the other's still come."""
    total = 32 * MIB

    @before_body
    def behave(conn, request):
        request.is_read = True
        conn.send(response(200, [("Content-Length", str(total))]))
        conn.stream.take(total, conn.send)
    proxy = make_proxy(make_origin(behave, keep=False))
    with Peak(proxy) as peak, Client(proxy.address, timeout=30) as client:
        pourer = threading.Thread(target=upload, args=(client, total), daemon=True)
        pourer.start()
        got = []
        client.stream.keep = False
        client.head()
        client.stream.take(total, lambda piece: got.append(len(piece)))
        pourer.join()
    assert sum(got) == total and peak.growth < GROWTH


def test_bytes_arrive_unchanged(make_proxy, make_origin):
    """A body whose every byte tells its place, through slow and uneven writes."""
    body = b"".join(b"%08d" % number for number in range(200_000))

    def behave(conn, request):
        assert request.body == body
        conn.send(response(200, [("Transfer-Encoding", "chunked")]))
        at, step = 0, 1
        while at < len(body):
            piece = body[at:at + step]
            conn.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            at, step = at + step, step * 3 % 70001 + 1
        conn.send(b"0\r\n\r\n")
        return CLOSE
    proxy = make_proxy(make_origin(behave))
    with Client(proxy.address) as client:
        client.send(build("POST", "/", [("Transfer-Encoding", "chunked")]))
        at, step = 0, 1
        while at < len(body):
            piece = body[at:at + step]
            client.send(b"%X\r\n" % len(piece))
            client.send(piece + b"\r\n")
            at, step = at + step, step * 5 % 90001 + 1
        client.send(b"0\r\n\r\n")
        assert client.response().body == body
