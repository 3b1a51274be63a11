"""Address, name and certificate are the connection's; what they allow is asked of each of its requests."""
import struct

from support.h2 import GET, PREFACE, H2Client, h2_context, headers, request, settings
from support.origin import ok
from support.tls import tls_listener


def test_a_proxy_header_before_the_preface(make_proxy, make_origin):
    origin = make_origin(ok(b"x"))
    proxy = make_proxy(origin, listener={"proxy_protocol": "accept", "proxy_protocol_from": ["127.0.0.0/8"]})
    for pieces in ([b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n" + PREFACE],
                   [b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n", PREFACE[:10], PREFACE[10:]],
                   [b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H4s4sHH", 12, b"\xc0\0\2\7", b"\x7f\0\0\1", 4711, 80)
                    + PREFACE]):
        with H2Client(proxy.address, greet=False) as client:
            for piece in pieces:
                client.sock.sendall(piece)
            client.send(settings() + headers(1, GET))
            assert client.answer(1).status == 200
    assert [asked.header("x-forwarded-for") for asked in origin.requests] == ["192.0.2.7"] * 3
    assert {line["client"] for line in proxy.access_log(3)} == {"192.0.2.7:4711"}


def test_the_preface_comes_in_pieces_and_only_first(make_proxy, make_origin):
    proxy = make_proxy(make_origin(ok(b"x")))
    with H2Client(proxy.address, greet=False) as client:
        for octet in PREFACE:
            client.sock.sendall(bytes([octet]))
        client.send(settings())
        assert client.request(1).status == 200
    with H2Client(proxy.address, greet=False) as client:  # later it is no request that HTTP/1 knows
        client.sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.sock.recv(1000).startswith(b"HTTP/1.1 200")
        client.sock.sendall(PREFACE + settings())
        assert client.sock.recv(1000)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 505")


def test_over_tls_alpn_alone_decides(make_proxy, make_origin, authority):
    shop = authority.certificate("shop", "shop.example")
    proxy = make_proxy(make_origin(ok(b"x")), **tls_listener(authority.directory, shop))
    with H2Client(proxy.address, context=h2_context(authority, ("http/1.1",)), name="shop.example", greet=False) as client:
        client.sock.sendall(PREFACE + settings())
        assert client.sock.recv(1000)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 505")


def test_another_site_over_this_connection(make_proxy, make_origin, authority):
    """421 where another certificate would have been shown, and the connection goes on (RFC 9110 §15.5.20)."""
    one, two = authority.certificate("one", "one.example", "other.example"), authority.certificate("two", "two.example")
    proxy = make_proxy(make_origin(ok(b"x")), **tls_listener(authority.directory, one, two))
    with H2Client(proxy.address, context=h2_context(authority), name="one.example") as client:
        asked = {host: client.request(1 + 2 * number, request(scheme="https", authority=host)).status
                 for number, host in enumerate(["one.example", "two.example", "other.example", "one.example"])}
    assert asked == {"one.example": 200, "two.example": 421, "other.example": 200}


def test_who_the_client_is_goes_with_each_request(make_proxy, make_origin, authority):
    origin = make_origin(ok(b"x"))
    shop, ann = authority.certificate("shop", "shop.example"), authority.certificate("ann", "ann.example")
    proxy = make_proxy(origin, **tls_listener(authority.directory, shop, client_auth={
        "mode": "require", "ca_file": authority.cert_file, "headers": {"subject": "X-Client"}}))
    context = h2_context(authority)
    context.load_cert_chain(ann.cert_file, ann.key_file)
    with H2Client(proxy.address, context=context, name="shop.example") as client:
        for stream in (1, 3):
            asked = request("GET", "/", ("x-client", "CN=somebody"), scheme="https", authority="shop.example")
            assert client.request(stream, asked).status == 200
    assert [[value for name, value in asked.headers if name.lower() == "x-client"] for asked in origin.requests] == [["CN=ann"]] * 2


def test_https_in_clear_text_is_a_trusted_proxys_word_alone(make_proxy, make_origin):
    """RFC 9110 §7.4; over TLS a client may say either."""
    claim = request(scheme="https")
    with H2Client(make_proxy(make_origin(ok(b"x"))).address) as client:
        assert client.request(1, claim).status == 421 and client.request(3).status == 200
    with H2Client(make_proxy(make_origin(ok(b"x")), listener={"trusted_proxies": ["127.0.0.0/8"]}).address) as client:
        assert client.request(1, claim).status == 200
