"""PROXY protocol v1 and v2: the client it names is the client; a header that is none closes the connection."""
import socket
import struct

import pytest

from support.client import Client, build
from support.origin import Origin, ok
from support.proxy import simple_proxy

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
REQUEST = build()


def v2(command=1, family=1, transport=1, body=b"", length=None, version=2):
    return (SIGNATURE + bytes([version << 4 | command, family << 4 | transport]) +
            struct.pack("!H", len(body) if length is None else length) + body)


def inet(source="203.0.113.7", target="192.0.2.1"):
    return socket.inet_aton(source) + socket.inet_aton(target) + struct.pack("!HH", 5555, 80)


def inet6(source="2001:db8::7", target="2001:db8::1"):
    return socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, target) + struct.pack("!HH", 5555, 80)


def tlv(kind, value, length=None):
    return struct.pack("!BH", kind, len(value) if length is None else length) + value


GOOD = {
    "v1 TCP4": (b"PROXY TCP4 203.0.113.7 192.0.2.1 5555 80\r\n", "203.0.113.7"),
    "v1 TCP6": (b"PROXY TCP6 2001:db8::7 2001:db8::1 5555 80\r\n", "2001:db8::7"),
    "v1 UNKNOWN": (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    "v1 UNKNOWN with more": (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", "127.0.0.1"),
    "v2 TCP4": (v2(body=inet()), "203.0.113.7"),
    "v2 TCP6": (v2(family=2, body=inet6()), "2001:db8::7"),
    "v2 LOCAL": (v2(command=0, family=0, transport=0), "127.0.0.1"),
    "v2 LOCAL with an address": (v2(command=0, body=inet()), "127.0.0.1"),
    "v2 with TLVs": (v2(body=inet() + tlv(1, b"h2") + tlv(2, b"test.example") + tlv(4, b"")), "203.0.113.7"),
    "v2 of an unspecified family": (v2(family=0, transport=0), "127.0.0.1"),
}
BAD = {
    "no header at all": REQUEST,
    "v1 in small letters": b"proxy TCP4 203.0.113.7 192.0.2.1 5555 80\r\n",
    "v1 of an unknown family": b"PROXY TCP5 203.0.113.7 192.0.2.1 5555 80\r\n",
    "v1 with a bare LF": b"PROXY TCP4 203.0.113.7 192.0.2.1 5555 80\n",
    "v1 with a name": b"PROXY TCP4 localhost 192.0.2.1 5555 80\r\n",
    "v1 with an address of the other family": b"PROXY TCP4 2001:db8::7 2001:db8::1 5555 80\r\n",
    "v1 with too few parts": b"PROXY TCP4 203.0.113.7 192.0.2.1 5555\r\n",
    "v1 with a part too many": b"PROXY TCP4 203.0.113.7 192.0.2.1 5555 80 90\r\n",
    "v1 with two spaces": b"PROXY TCP4  203.0.113.7 192.0.2.1 5555 80\r\n",
    "v1 with a port too large": b"PROXY TCP4 203.0.113.7 192.0.2.1 65536 80\r\n",
    "v1 with a sign": b"PROXY TCP4 203.0.113.7 192.0.2.1 +555 80\r\n",
    "v1 of 200 bytes": b"PROXY UNKNOWN " + b"x" * 200 + b"\r\n",
    "v1 without end": b"PROXY TCP4 " + b"1" * 300,
    "v2 with a broken signature": b"\r\n\r\n\x00\r\nQUIX\n" + v2(body=inet())[12:],
    "v2 of version 1": v2(version=1, body=inet()),
    "v2 of version 3": v2(version=3, body=inet()),
    "v2 of an unknown command": v2(command=2, body=inet()),
    "v2 with too short an address": v2(body=inet()[:8]),
    "v2 IPv6 with an IPv4 address": v2(family=2, body=inet()),
    "v2 with a TLV longer than the header": v2(body=inet() + tlv(1, b"h2", length=500)),
    "v2 with half a TLV": v2(body=inet() + b"\x01\x00"),
}


@pytest.fixture(scope="module")
def bench():
    origin = Origin(ok())
    proxy = simple_proxy(origin, process={"workers": 1}, listener={
        "proxy_protocol": "accept", "proxy_protocol_from": ["127.0.0.0/8"], "timeouts": {"headers": "2s"}}).start()
    yield proxy, origin
    origin.stop()
    try:
        proxy.stop()
    finally:
        proxy.discard()


def forwarded_for(origin, mark):
    return [request.header("x-forwarded-for") for request in origin.since(mark).requests]


@pytest.mark.parametrize("name", GOOD)
def test_good(bench, name):
    proxy, origin = bench
    header, client_address = GOOD[name]
    mark = origin.mark()
    with Client(proxy.address) as client:
        client.send(header + REQUEST)
        assert client.response().status == 200
        assert client.request().status == 200
    assert forwarded_for(origin, mark) == [client_address] * 2


@pytest.mark.parametrize("name", ["v1 TCP4", "v2 with TLVs"])
def test_good_in_pieces(bench, name):
    proxy, origin = bench
    header, client_address = GOOD[name]
    for at in range(1, len(header) + 1):
        mark = origin.mark()
        with Client(proxy.address) as client:
            client.send_pieces([header[:at], header[at:] + REQUEST])
            assert client.response().status == 200, at
        assert forwarded_for(origin, mark) == [client_address], at


@pytest.mark.parametrize("name", BAD)
def test_bad(bench, name):
    proxy, origin = bench
    origin.settle()
    mark = origin.mark()
    with Client(proxy.address) as client:
        client.try_send(BAD[name] + REQUEST)
        assert client.read_until_close() == b""
    origin.settle()
    assert origin.since(mark).bytes == 0


def test_a_source_that_is_not_listed_has_no_say(make_proxy, origin):
    proxy = make_proxy(origin, listener={"proxy_protocol": "accept", "proxy_protocol_from": ["10.0.0.0/8"]})
    with Client(proxy.address) as client:
        client.send(GOOD["v1 TCP4"][0] + REQUEST)
        assert client.response().status in (400, 501)
    assert not origin.connections
    with Client(proxy.address) as client:
        assert client.request().status == 200
    assert origin.wait_requests(1)[0].header("x-forwarded-for") == "127.0.0.1"
