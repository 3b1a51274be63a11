"""Each stream waits for its own side: a slow client holds its server's stream, a slow server its client's upload, and nobody else's."""
import threading

from support import h2
from support.client import Client, get
from support.h2_origin import H2Origin, h2_ok, h2_pool
from support.origin import before_body

BIG = 32 * 1024 * 1024  # more than sockets hold


def test_a_client_that_does_not_read_holds_its_stream_alone(make_origin, make_proxy):
    big = []

    def pour(conn, request):
        big.append((conn, request))
        conn.respond(request, 200, [("content-length", str(BIG))], b"b" * BIG)
    origin = make_origin({"/big": pour, "*": h2_ok(b"small")}, speaks=H2Origin, keep=False)
    proxy = make_proxy([origin], pool=h2_pool(), process={"workers": 1})
    before = proxy.rss()
    with Client(proxy.address) as slow:
        slow.send(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        origin.wait_for(lambda _: big)
        conn, request = big[0]
        for _ in range(20):
            assert get(proxy.address, "/small").body == b"small"
        assert conn.unsent(request) > BIG // 4  # it waits at the server
        assert proxy.rss() - before < 4 * 1024 * 1024
        assert len(slow.response().body) == BIG
    assert len(origin.connections) == 1


def test_a_server_that_does_not_read_holds_its_client_alone(make_origin, make_proxy):
    def refuse_windows(conn, request):
        conn.opens_windows = False

    def read_on(conn, request):
        conn.opens_windows = True
        conn.send(h2.window(0, 1 << 24) + h2.window(1, 1 << 24))
        conn.respond(request, 200, [], b"on")
    origin = make_origin({"/up": before_body(refuse_windows), "/on": read_on, "*": h2_ok(b"small")}, speaks=H2Origin, keep=False)
    proxy = make_proxy([origin], pool=h2_pool(), process={"workers": 1})
    with Client(proxy.address) as upload:
        head = b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % BIG
        upload.sock.settimeout(60)
        sender = threading.Thread(target=upload.sock.sendall, args=(head + b"u" * BIG,))
        sender.start()
        origin.wait_for(lambda o: o.heads and o.heads[0].body_bytes == 65535)
        for _ in range(20):
            assert get(proxy.address, "/small").body == b"small"
        assert origin.heads[0].body_bytes == 65535
        assert get(proxy.address, "/on").body == b"on"
        sender.join(60)
        origin.wait_for(lambda o: o.heads[0].has_ended)
        assert origin.heads[0].body_bytes == BIG
        conn = origin.connections[0]
        conn.respond(origin.heads[0], 200, [], b"got it")
        assert upload.response("POST").body == b"got it"
    assert not origin.errors


def test_many_large_bodies_both_ways_at_once(make_origin, make_proxy):
    size = 1024 * 1024
    origin = make_origin(lambda conn, request: conn.respond(request, 200, [], request.body), speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool(), process={"workers": 1})
    wrong = []

    def one(number):
        body = bytes([number]) * size
        with Client(proxy.address) as client:
            for _ in range(2):
                if client.request("POST", "/", body=body).body != body:
                    wrong.append(number)
    threads = [threading.Thread(target=one, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and not origin.errors and len(origin.requests) == 24
    assert len(origin.connections) == 1
