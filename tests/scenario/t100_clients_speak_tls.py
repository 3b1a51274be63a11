"""Clients speak TLS 1.2 or 1.3; what they ask is served as in clear text, and servers learn that it came over TLS."""
import hashlib
import ssl

import pytest
from support.origin import echo, ok
from support.tls import TlsClient, refused, tls_listener

BIG = bytes(range(256)) * 20000


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_both_versions_are_served(make_origin, make_proxy, authority, version):
    origin = make_origin(ok(b"hello"))
    shop = authority.certificate("shop", "shop.example")
    proxy = make_proxy([origin], **tls_listener(authority.directory, shop))
    with TlsClient(proxy.address, name="shop.example", ca=authority, version=version) as client:
        for _ in range(3):
            assert client.request(host="shop.example").body == b"hello"
        assert client.sock.version() == {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[version]
    assert [request.headers.get("x-forwarded-proto") for request in origin.requests] == ["https"] * 3


@pytest.mark.race
def test_large_bodies_arrive_whole_both_ways(make_origin, make_proxy, authority):
    proxy = make_proxy([make_origin(echo())], **tls_listener(authority.directory, authority.certificate("shop", "shop.example")))
    with TlsClient(proxy.address) as client:
        for _ in range(3):
            got = client.request("POST", "/", body=BIG).body
            assert hashlib.sha256(got).digest() == hashlib.sha256(BIG).digest()


def test_a_slow_reader_gets_all_of_it_and_costs_little_memory(make_origin, make_proxy, authority):
    body = b"x" * (32 << 20)
    proxy = make_proxy([make_origin(ok(body), keep=False)],
                       **tls_listener(authority.directory, authority.certificate("shop", "shop.example")))
    with TlsClient(proxy.address) as first:
        first.request("HEAD")
    before = proxy.rss()
    with TlsClient(proxy.address) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        proxy.wait_for(lambda: proxy.metrics().value("twokey_server_received_bytes_total") > 1 << 20)
        assert proxy.rss() - before < 24 << 20
        assert len(client.response().body) == len(body)


def test_older_versions_are_refused(make_proxy, origin, authority):
    proxy = make_proxy([origin], **tls_listener(authority.directory, authority.certificate("shop", "shop.example")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    refused(proxy.address, context=context)
    assert proxy.metrics().value("twokey_listener_tls_failures_total", listener="web") == 1
    with TlsClient(proxy.address) as client:
        assert client.request().status == 200
    assert proxy.metrics().value("twokey_listener_tls_handshakes_total", listener="web") == 1


def test_where_only_the_newest_is_wanted_nothing_else_is_spoken(make_proxy, origin, authority):
    proxy = make_proxy([origin], **tls_listener(authority.directory, authority.certificate("shop", "shop.example"), min_version="1.3"))
    refused(proxy.address, version=ssl.TLSVersion.TLSv1_2)
    with TlsClient(proxy.address) as client:
        assert client.request().status == 200
