"""Where connections begin with a PROXY header, TLS begins behind it, however the bytes are cut."""
import ssl

import pytest
from support import wire
from support.origin import ok
from support.tls import TlsByHand, tls_listener


def connect(address, pieces):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    hand = TlsByHand(context, plain=wire.connect(address, 15.0))
    first = b"PROXY TCP4 192.0.2.7 192.0.2.1 4242 443\r\n" + hand.hello()
    for start in range(0, len(first), pieces):
        hand.plain.sendall(first[start:start + pieces])
    return hand


@pytest.mark.parametrize("pieces", [7, 41, 60, 100000])
def test_the_request_is_served_with_the_address_of_the_header(make_origin, make_proxy, authority, pieces):
    origin = make_origin(ok(b"hello"))
    options = tls_listener(authority.directory, authority.certificate("shop", "shop.example"))
    options["listener"].update(proxy_protocol="accept", proxy_protocol_from=["127.0.0.0/8"])
    proxy = make_proxy([origin], **options)
    hand = connect(proxy.address, pieces)
    with hand.plain:
        hand.shake_hands()
        hand.send(b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")
        assert b"hello" in hand.pump(lambda: hand.tls.read(65536))
    assert origin.requests[0].headers.get("x-forwarded-for") == "192.0.2.7"
