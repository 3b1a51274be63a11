"""Callers who do not shake hands, break off or send rubbish keep nobody out of the admin API, and leave nothing behind."""
import os
import random
import socket
import time

import pytest
from support.client import build
from support.tls import TlsByHand, TlsClient, admin_tls, client_context


@pytest.fixture
def admin(authority):
    return authority.certificate("admin", "localhost", ip="127.0.0.1")


def hello(authority):
    """The first bytes of a handshake."""
    return TlsByHand(client_context(authority), "localhost").hello()


def connect(proxy, source="127.0.0.1"):
    host, _, port = proxy.admin_address.rpartition(":")
    one = socket.socket()
    one.settimeout(30)
    one.bind((source, 0))
    one.connect((host, int(port)))
    return one


def test_500_who_do_not_shake_hands_keep_nobody_out(make_proxy, origin, authority, admin):
    proxy = make_proxy([origin], **admin_tls(authority, admin))
    first = hello(authority)
    silent = []
    for number in range(500):
        one = connect(proxy, f"127.0.1.{1 + number % 5}")
        if number % 2:
            one.sendall(first[:len(first) // 2])
        silent.append(one)
    began = time.monotonic()
    for _ in range(5):
        assert proxy.admin("GET", "/healthz").status == 200
    assert time.monotonic() - began < 25  # five calls: none of the silent ones was waited for
    for one in silent:
        one.close()
    proxy.wait_for(lambda: proxy.metrics().value("twokey_admin_connections_open") <= 2)


def test_one_address_does_not_take_all_places(make_proxy, origin, authority, admin):
    proxy = make_proxy([origin], **admin_tls(authority, admin))
    kept = [connect(proxy, "127.0.0.9") for _ in range(210)]
    proxy.wait_for(lambda: proxy.metrics().value("twokey_admin_connections_refused_total") >= 10)
    assert proxy.admin("GET", "/healthz").status == 200
    for one in kept:
        one.close()


@pytest.mark.waits
@pytest.mark.timeout(90)
def test_a_handshake_that_does_not_go_on_ends(make_proxy, origin, authority, admin):
    proxy = make_proxy([origin], **admin_tls(authority, admin))
    first = hello(authority)
    began = time.monotonic()
    slow = [connect(proxy) for _ in range(3)]
    slow[1].sendall(first[:50])
    slow[2].sendall(first)
    for one in slow:
        while one.recv(65536):
            pass
    assert 9 < time.monotonic() - began < 25
    failed = proxy.wait_event("admin-handshake-failed", nth=2)
    assert failed["why"] == "the handshake takes too long"


def test_rubbish_is_survived(make_proxy, origin, authority, admin):
    proxy = make_proxy([origin], **admin_tls(authority, admin))
    assert proxy.admin("GET", "/healthz").status == 200
    before = proxy.descriptors()
    dice = random.Random(int(os.environ.get("TWOKEY_SEED", "1")))
    first = hello(authority)
    for turn in range(200):
        with connect(proxy) as one:
            rubbish = bytearray(first)
            for _ in range(dice.randrange(8)):
                rubbish[dice.randrange(len(rubbish))] = dice.randrange(256)
            try:
                one.sendall(bytes(rubbish) if turn % 3 else dice.randbytes(dice.randrange(1, 400)))
                if turn % 4 == 0:
                    one.shutdown(socket.SHUT_WR)
                if turn % 5 == 0:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                elif turn % 4 == 0:
                    while one.recv(65536):
                        pass
            except OSError:
                pass
    assert proxy.admin("GET", "/healthz").status == 200
    proxy.wait_for(lambda: proxy.descriptors() <= before)


def test_who_breaks_off_in_a_call_leaves_nothing_behind(make_proxy, origin, authority, admin):
    proxy = make_proxy([origin], **admin_tls(authority, admin))
    proxy.status()
    before = proxy.descriptors()
    calls = [build("GET", "/v1/openapi.json", host="localhost") * 20,
             b"POST /v1/explain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\n{" + b" " * 100_000]
    for number in range(60):
        client = TlsClient(proxy.admin_address, name="localhost", ca=authority)
        client.sock.sendall(calls[number % 2])
        if number % 4 > 1:
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        elif number % 2 == 0:  # the other one would be answered when its body is whole
            client.sock.recv(100)
        client.close()
    proxy.wait_for(lambda: proxy.descriptors() <= before)
    assert proxy.status()["running"]["generation"] == 1


@pytest.mark.waits
@pytest.mark.timeout(120)
@pytest.mark.slow
def test_who_leaves_a_stream_is_noticed_when_it_is_said_to_be_alive(make_enforced, origin, authority, admin):
    proxy = make_enforced([origin], **admin_tls(authority, admin))
    proxy.status()
    before = proxy.descriptors()
    for number in range(6):
        client = TlsClient(proxy.admin_address, name="localhost", ca=authority)
        client.sock.sendall(build("GET", "/v1/events", host="localhost", headers=[("Authorization", f"Bearer {proxy.tokens['dan']}")]))
        client.sock.recv(100)
        if number % 2:
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        client.close()
    proxy.wait_for(lambda: proxy.descriptors() <= before, timeout=50)


def test_a_record_that_was_tampered_with_ends_the_call(make_proxy, origin, authority, admin):
    proxy = make_proxy([origin], **admin_tls(authority, admin))
    plain = connect(proxy)
    hand = TlsByHand(client_context(authority), "localhost", plain)
    hand.shake_hands()
    hand.flush()
    hand.send(b"POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{")
    hand.tls.write(b"}")
    last = bytearray(hand.out.read())
    last[-1] ^= 1
    plain.sendall(bytes(last))
    hand.rest()
    plain.close()
    assert proxy.status()["running"]["generation"] == 1  # it never was a whole call


@pytest.mark.race
def test_callers_come_while_configurations_change(make_proxy, origin, authority, admin):
    proxy = make_proxy([origin], **admin_tls(authority, admin, client_ca=authority))
    ann = authority.certificate("ann", "ann.people")
    context = client_context(authority, ann)
    open_one = proxy.admin_connection(context=context)
    for number in range(15):
        proxy.config["pools"]["app"]["servers"]["s1"]["weight"] = number + 1
        proxy.write_config(proxy.config)
        open_one.request("POST", "/v1/reload")
        reply = open_one.getresponse()
        assert reply.status == 200 and reply.read()
        another = proxy.admin_connection(context=context)
        another.request("GET", "/metrics")
        reply = another.getresponse()
        assert reply.status == 200 and b"twokey_admin_tls_handshakes_total" in reply.read()
        another.close()
