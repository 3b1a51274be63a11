"""Over TLS a client may say that he says nothing more, and still gets his answer (RFC 8446 §6.1)."""
import socket
import ssl

import pytest
from support.client import build
from support.origin import ok
from support.tls import client_context, tls_listener


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_answer_comes_behind_his_end(make_origin, make_proxy, authority, version):
    proxy = make_proxy([make_origin(ok(b"a" * 3000))], **tls_listener(authority.directory, authority.certificate("shop", "shop.example")))
    host, _, port = proxy.address.rpartition(":")
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context(authority, version=version).wrap_bio(into, out, server_hostname="shop.example")
    with socket.create_connection((host, int(port)), timeout=15) as plain:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                plain.sendall(out.read())
                into.write(plain.recv(65536))
        tls.write(build("GET", "/", host="shop.example"))
        with pytest.raises(ssl.SSLWantReadError):
            tls.unwrap()
        plain.sendall(out.read())
        got = b""
        while part := plain.recv(65536):
            got += part
    assert len(got) > 3000  # OpenSSL reads no more behind its own end: it is there by its size
