"""Fields for one hop, Expect, Upgrade, and what the proxy says of the client (RFC 9110 sections 7.6, 7.8, 10.1.1)."""
import re

from support.corpus import EVIL, HOST, Want, either, forward, forwarded, get_with, post_with, refuse, refused

OURS = {"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http", "x-forwarded-host": "test.example"}
CL5 = b"Content-Length: 5\r\n"
WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


def nominated(name, field_lines, *gone, headers=None):
    return forward("connection " + name, get_with(field_lines), Want(headers=headers or {}, absent=gone))


def protected(name, headers):
    """A field that Connection may not take away."""
    return forward("connection cannot remove " + name, get_with(b"Connection: " + name.encode() + b"\r\n"), Want(headers=headers))


def spoofed(name, field_lines, headers, absent=()):
    return forward("spoofed " + name, get_with(field_lines), Want(headers=headers, absent=absent))


CASES = [
    # Connection and what it names
    nominated("names a field", b"Connection: X-Foo\r\nX-Foo: 1\r\nX-Bar: 2\r\n", "x-foo", headers={"x-bar": "2"}),
    nominated("names a field that stands before", b"X-Foo: 1\r\nConnection: X-Foo\r\n", "x-foo"),
    nominated("names two", b"Connection: X-Foo, X-Bar\r\nX-Foo: 1\r\nX-Bar: 2\r\n", "x-foo", "x-bar"),
    nominated("names in other case", b"Connection: x-FOO\r\nX-Foo: 1\r\n", "x-foo"),
    nominated("names with empty members", b"Connection: ,, X-Foo ,,\r\nX-Foo: 1\r\n", "x-foo"),
    nominated("names without spaces", b"Connection: keep-alive,X-Foo\r\nX-Foo: 1\r\n", "x-foo"),
    nominated("names with tabs", b"Connection: keep-alive\t,\tX-Foo\r\nX-Foo: 1\r\n", "x-foo"),
    nominated("stands twice", b"Connection: X-Foo\r\nConnection: X-Bar\r\nX-Foo: 1\r\nX-Bar: 2\r\n", "x-foo", "x-bar"),
    nominated("names every line of a field", b"Connection: X-Foo\r\nX-Foo: 1\r\nX-Foo: 2\r\nx-foo: 3\r\n", "x-foo"),
    nominated("names a prefix only", b"Connection: X-Fo\r\nX-Foo: 1\r\n", headers={"x-foo": "1"}),
    nominated("names what is not there", b"Connection: X-None\r\n", "x-none"),
    nominated("keep-alive", b"Connection: keep-alive\r\nKeep-Alive: timeout=5, max=9\r\n", "keep-alive"),
    forward("connection close", get_with(b"Connection: close\r\n"), Want(), closes=True),
    forward("connection close in other case", get_with(b"Connection: ClOsE\r\n"), Want(), closes=True),
    forward("connection close in a list", get_with(b"Connection: X-Foo, close\r\nX-Foo: 1\r\n"), Want(absent=("x-foo",)), closes=True),
    forward("connection close in the second line", get_with(b"Connection: X-Foo\r\nConnection: close\r\n"), Want(), closes=True),
    forward("connection close and keep-alive", get_with(b"Connection: keep-alive, close\r\n"), Want(), closes=True),
    forward("connection closed means closed", get_with(b"Connection: close\r\n") + EVIL, Want(), closes=True),

    protected("Host", {"host": "test.example"}),
    protected("X-Forwarded-For", {"x-forwarded-for": "127.0.0.1"}),
    protected("X-Forwarded-Proto", {"x-forwarded-proto": "http"}),
    protected("X-Forwarded-Host", {"x-forwarded-host": "test.example"}),
    protected("Via", {"via": re.compile(r"1\.1 \S+")}),
    protected("X-Request-Id", {"x-request-id": re.compile(r"\S+")}),
    protected("x-forwarded-for, in small letters", {"x-forwarded-for": "127.0.0.1"}),
    forward("connection cannot remove Content-Length", post_with(b"Connection: Content-Length\r\n" + CL5, b"hello"),
            Want("POST", body=b"hello")),
    forward("connection cannot remove Transfer-Encoding",
            post_with(b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
            Want("POST", body=b"hello")),
    forward("connection cannot remove Host in a list", get_with(b"Connection: close, Host\r\n"),
            Want(headers={"host": "test.example"}), closes=True),

    # always for one hop
    nominated("or not, Keep-Alive goes", b"Keep-Alive: timeout=5\r\n", "keep-alive"),
    nominated("or not, Proxy-Connection goes", b"Proxy-Connection: keep-alive\r\n", "proxy-connection"),
    nominated("or not, TE goes", b"TE: gzip;q=0.5\r\n", "te"),
    nominated("or not, Upgrade goes", b"Upgrade: foo\r\n", "upgrade"),
    nominated("or not, HTTP2-Settings goes with h2c", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
              "upgrade", "http2-settings"),
    forward("upgrade to h2c on a POST", post_with(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
            Want("POST", absent=("upgrade", "http2-settings"))),
    forward("upgrade to H2C in capitals", get_with(b"Connection: Upgrade\r\nUpgrade: H2C\r\n"), Want(absent=("upgrade",))),
    forward("upgrade to h2c alone, not named by Connection", get_with(b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
            Want(absent=("upgrade",))),
    forward("upgrade to h2", get_with(b"Connection: Upgrade\r\nUpgrade: h2\r\n"), Want()),
    forward("upgrade to h2c in a list", get_with(b"Connection: Upgrade\r\nUpgrade: h2c, h2c-14\r\n"), Want()),
    either("TE: trailers", get_with(b"TE: trailers\r\nConnection: TE\r\n"), forwarded(Want(headers={"te": "trailers"})),
           forwarded(Want(absent=("te",)))),
    either("TE: trailers among others", get_with(b"TE: gzip, trailers\r\nConnection: TE\r\n"), forwarded(Want(headers={"te": "trailers"})),
           forwarded(Want(absent=("te",)))),

    # Upgrade
    refuse("upgrade with a body", post_with(WEBSOCKET + CL5, b"hello" + EVIL)),
    refuse("upgrade with a chunked body", post_with(WEBSOCKET + b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n" + EVIL)),
    refuse("upgrade with a body on a GET", get_with(WEBSOCKET + CL5) + b"hello" + EVIL),
    forward("upgrade without Connection", get_with(b"Upgrade: websocket\r\n"), Want(absent=("upgrade",))),
    forward("upgrade in HTTP/1.0", b"GET / HTTP/1.0\r\n" + HOST + WEBSOCKET + b"\r\n", Want(absent=("upgrade",)), closes=True),
    forward("upgrade that the origin ignores", get_with(WEBSOCKET), Want(headers={"upgrade": "websocket"})),
    forward("upgrade that the origin ignores, and a request behind it", get_with(WEBSOCKET) + get_with(target=b"/next"),
            Want(headers={"upgrade": "websocket"}), Want(target="/next")),

    # Expect
    refuse("expect something else", post_with(b"Expect: 200-ok\r\n" + CL5, b"hello" + EVIL), 417),
    refuse("expect a list", post_with(b"Expect: 100-continue, other\r\n" + CL5, b"hello" + EVIL), 417),
    refuse("expect with a parameter", post_with(b"Expect: 100-continue;x=y\r\n" + CL5, b"hello" + EVIL), 417),
    refuse("expect with a value", post_with(b"Expect: 100-continue=1\r\n" + CL5, b"hello" + EVIL), 417),
    refuse("expect prefix", post_with(b"Expect: 100-continu\r\n" + CL5, b"hello" + EVIL), 417),
    refuse("expect with a letter before", post_with(b"Expect: y 100-continue\r\n" + CL5, b"hello" + EVIL), 417),
    refuse("expect in quotes", post_with(b'Expect: "100-continue"\r\n' + CL5, b"hello" + EVIL), 417),
    refuse("expect with a vertical tab", post_with(b"Expect: \x0b100-continue\r\n" + CL5, b"hello" + EVIL), 400, 417),
    refuse("expect folded", post_with(b"Expect:\r\n 100-continue\r\n" + CL5, b"hello" + EVIL)),
    refuse("expect, space before the colon", post_with(b"Expect : 100-continue\r\n" + CL5, b"hello" + EVIL)),
    refuse("expect something else on a GET", get_with(b"Expect: other\r\n") + EVIL, 417),
    either("expect nothing", post_with(b"Expect:\r\n" + CL5, b"hello"), refused(417, 400), forwarded(Want("POST", body=b"hello"))),
    either("expect twice", post_with(b"Expect: 100-continue\r\nExpect: 100-continue\r\n" + CL5, b"hello"), refused(417, 400),
           forwarded(Want("POST", body=b"hello"))),
    forward("expect 100-continue with the body at once", post_with(b"Expect: 100-continue\r\n" + CL5, b"hello"), Want("POST", body=b"hello")),
    forward("expect in other case", post_with(b"eXPECT: 100-CONTINUE\r\n" + CL5, b"hello"), Want("POST", body=b"hello")),
    forward("expect with a chunked body", post_with(b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
            Want("POST", body=b"hello")),
    forward("expect without a body", get_with(b"Expect: 100-continue\r\n"), Want()),
    forward("expect in HTTP/1.0", b"POST / HTTP/1.0\r\n" + HOST + b"Expect: 100-continue\r\n" + CL5 + b"\r\nhello",
            Want("POST", body=b"hello", absent=("expect",)), closes=True),
    either("expect other in HTTP/1.0", b"POST / HTTP/1.0\r\n" + HOST + b"Expect: other\r\n" + CL5 + b"\r\nhello",
           refused(417), forwarded(Want("POST", body=b"hello"), closes=True)),

    # what we say of the client
    forward("metadata is set", get_with(), Want(headers={**OURS, "via": re.compile(r"1\.1 \S+"), "x-request-id": re.compile(r"\S{8,}")})),
    forward("metadata of an HTTP/1.0 request", b"GET / HTTP/1.0\r\n" + HOST + b"\r\n",
            Want(headers={"x-forwarded-for": "127.0.0.1", "via": re.compile(r"1\.0 \S+")}), closes=True),
    spoofed("X-Forwarded-For", b"X-Forwarded-For: 1.2.3.4\r\n", OURS),
    spoofed("X-Forwarded-For twice", b"X-Forwarded-For: 1.2.3.4\r\nx-forwarded-for: 5.6.7.8\r\n", OURS),
    spoofed("X-Forwarded-For list", b"X-Forwarded-For: 1.2.3.4, 127.0.0.1\r\n", OURS),
    spoofed("X-Forwarded-For and named by Connection", b"Connection: X-Forwarded-For\r\nX-Forwarded-For: 1.2.3.4\r\n", OURS),
    spoofed("X-Forwarded-Proto", b"X-Forwarded-Proto: https\r\n", OURS),
    spoofed("X-Forwarded-Host", b"X-Forwarded-Host: evil.example\r\n", OURS),
    spoofed("X_Forwarded_For", b"X_Forwarded_For: 1.2.3.4\r\n", OURS, ("x_forwarded_for",)),
    spoofed("Forwarded", b"Forwarded: for=1.2.3.4;proto=https;host=evil.example\r\n",
            {**OURS, "forwarded": re.compile(r"(?!.*(1\.2\.3\.4|evil|https)).*127\.0\.0\.1.*")}),
    spoofed("Forwarded twice", b"Forwarded: for=1.2.3.4\r\nForwarded: for=5.6.7.8\r\n",
            {"forwarded": re.compile(r"(?!.*(1\.2\.3\.4|5\.6\.7\.8)).*127\.0\.0\.1.*")}),
    either("via is appended", get_with(b"Via: 1.0 fred\r\n"), forwarded(Want(headers={"via": re.compile(r"1\.0 fred, ?1\.1 \S+")}))),
    either("via twice is appended", get_with(b"Via: 1.0 fred\r\nVia: 1.1 p.example (x)\r\n"),
           forwarded(Want(headers={"via": re.compile(r"1\.0 fred, ?1\.1 p\.example \(x\), ?1\.1 \S+")}))),
    forward("X-Request-Id stands once", get_with(b"X-Request-Id: mine-12345678\r\n"), Want(headers={"x-request-id": re.compile(r"\S+")})),
    forward("X-Request-Id twice becomes one", get_with(b"X-Request-Id: a1234567\r\nX-Request-Id: b1234567\r\n"),
            Want(headers={"x-request-id": re.compile(r"\S+")})),
]
