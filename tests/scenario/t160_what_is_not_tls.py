"""Whoever does not speak TLS as agreed is told so, or let go in time; others are served meanwhile."""
import os
import random
import socket

import pytest
from support import wire
from support.client import Client
from support.tls import TlsClient, tls_listener


@pytest.fixture
def proxy(make_proxy, origin, authority):
    options = tls_listener(authority.directory, authority.certificate("shop", "shop.example"))
    options["listener"]["timeouts"] = {"headers": "500ms"}
    return make_proxy([origin], **options)


def serves(proxy):
    with TlsClient(proxy.address) as client:
        return client.request().status == 200


def test_clear_text_is_answered_in_clear_text(proxy):
    with Client(proxy.address) as client:
        answer = client.request()
        assert answer.status == 400 and b"https://" in answer.body
        client.wait_closed()
    assert serves(proxy)


def test_a_handshake_that_does_not_go_on_ends_in_time(proxy):
    with Client(proxy.address) as silent, Client(proxy.address) as half:
        half.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        assert serves(proxy)
        silent.wait_closed()
        half.wait_closed()


def test_noise_ends_the_connection_and_nothing_else(proxy):
    noise = random.Random(int(os.environ.get("TWOKEY_SEED", "20")))
    for turn in range(60):
        with Client(proxy.address) as client:
            start = noise.choice([b"", b"\x16\x03\x01", b"\x16\x03\x03\x00\x20", b"\x15\x03\x03\x00\x02", b"\x80\x2e\x01\x00\x02"])
            client.try_send(start + noise.randbytes(noise.randrange(1, 3000)))
            if turn % 3 == 0:
                client.reset()
    assert serves(proxy)


def test_noise_after_the_handshake_ends_the_connection(proxy):
    with TlsClient(proxy.address) as client:
        assert client.request().status == 200
        raw = socket.socket(fileno=os.dup(client.sock.fileno()))
        raw.sendall(b"\x17\x03\x03\x00\x30" + bytes(48))
        raw.settimeout(10)
        try:
            while raw.recv(65536):
                pass
        except ConnectionResetError:
            pass
        raw.close()
    assert serves(proxy)


def test_a_client_that_just_leaves_costs_nothing(proxy):
    before = proxy.descriptors()
    for _ in range(30):
        client = TlsClient(proxy.address)
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wire.Stream.close(client.stream) if hasattr(wire.Stream, "close") else None
        client.close()
    proxy.wait_for(lambda: proxy.descriptors() <= before + 4)
    assert serves(proxy)
