"""Whoever makes TLS work and says nothing, or hears nothing, is cut off."""
import pytest

from support.h2 import GET, INITIAL_WINDOW_SIZE, MAX_WINDOW, POST, PREFACE, data, headers, settings, window
from support.origin import ok, response
from support.tls import RawTls, TlsClient, tls_listener


@pytest.mark.parametrize("alpn", [b"", b"h2"])
def test_keys_that_are_only_renewed(origin, make_proxy, authority, alpn):
    shop = authority.certificate("shop", "shop.example")
    proxy = make_proxy([origin], **tls_listener(authority.directory, shop))
    with RawTls(proxy.address, alpn) as bad:
        renewed = 0
        while renewed < 50_000 and bad.renew_keys():
            renewed += 1
    assert renewed < 50_000
    with TlsClient(proxy.address, name="shop.example", ca=authority) as good:
        assert good.request().status == 200


def test_answers_of_tls_that_nobody_reads(make_origin, make_proxy, authority):
    """Keys are renewed between bytes of an upload, while nothing is read: each answer would be kept."""
    sent = []

    def pour(conn, _request):
        conn.send(response(200, [("Content-Length", str(16 << 20))]))
        for _ in range(256):
            conn.send(bytes(65536))
            sent.append(65536)
    origin = make_origin({"/": pour, "/up": ok()}, keep=False)
    shop = authority.certificate("shop", "shop.example")
    proxy = make_proxy([origin], **tls_listener(authority.directory, shop))
    with RawTls(proxy.address, b"h2") as bad:
        assert bad.send(PREFACE + settings((INITIAL_WINDOW_SIZE, MAX_WINDOW)) + window(0, MAX_WINDOW - 65535)
                        + headers(1, GET) + headers(3, [*POST[:3], (":path", "/up")], end=False))
        proxy.wait_for(lambda: len(sent) >= 16)  # what the client does not read waits
        renewed = 0
        while renewed < 400_000 and bad.renew_keys() and bad.send(data(3, b"x")):
            renewed += 1
    assert renewed < 400_000
    with TlsClient(proxy.address, name="shop.example", ca=authority) as good:
        assert good.request(target="/up", method="POST").status == 200
