"""Over TLS a client may say that he says nothing more, and still gets his answer (RFC 8446 §6.1)."""
import ssl

import pytest
from support import wire
from support.client import build
from support.origin import ok
from support.tls import TlsByHand, client_context, tls_listener


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_answer_comes_behind_his_end(make_origin, make_proxy, authority, version):
    proxy = make_proxy([make_origin(ok(b"a" * 3000))], **tls_listener(authority.directory, authority.certificate("shop", "shop.example")))
    with wire.connect(proxy.address, 15) as plain:
        hand = TlsByHand(client_context(authority, version=version), "shop.example", plain)
        hand.shake_hands()
        hand.tls.write(build("GET", "/", host="shop.example"))
        hand.say_end()
        got = hand.rest()
    assert len(got) > 3000  # OpenSSL reads no more behind its own end: it is there by its size
