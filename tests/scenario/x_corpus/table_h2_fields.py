"""RFC 9113 §8.2, §8.3, §8.5; RFC 8441: what the fields of a request may be."""
from support.h2 import GET, PROTOCOL_ERROR, headers, request
from support.h2_corpus import Want, answered, case, malformed, reset, served

METHOD, SCHEME, AUTHORITY, PATH = (":method", "GET"), (":scheme", "http"), (":authority", "test.example"), (":path", "/")
BAD = malformed()


def fields(name, *sent, wants=None):
    return case(name, headers(1, list(sent)), wants=BAD if wants is None else wants)


def having(name, *more, wants=None):
    return fields(name, *GET, *more, wants=wants)


def has(**headers_wanted):
    return served(Want(headers={name.replace("_", "-"): value for name, value in headers_wanted.items()}))


def path(name, value, wants=None):
    return fields("path " + name, *request(path=value), wants=wants)


def to_path(target):
    return served(Want(target=target))


def authority(name, value, wants=None):
    return fields("authority " + name, *request(authority=value), wants=wants)


def method(name, value, wants=None):
    return fields("method " + name, *request(value), wants=wants)


PSEUDO = [
    fields("no :method", SCHEME, AUTHORITY, PATH),
    fields("no :scheme", METHOD, AUTHORITY, PATH),
    fields("no :path", METHOD, SCHEME, AUTHORITY),
    fields("no pseudo-field at all", ("host", "test.example")),
    fields("none but :authority", AUTHORITY),
    fields(":method twice", METHOD, METHOD, SCHEME, AUTHORITY, PATH),
    fields(":method twice, differing", METHOD, (":method", "POST"), SCHEME, AUTHORITY, PATH),
    fields(":scheme twice", METHOD, SCHEME, SCHEME, AUTHORITY, PATH),
    fields(":authority twice", METHOD, SCHEME, AUTHORITY, AUTHORITY, PATH),
    fields(":path twice", METHOD, SCHEME, AUTHORITY, PATH, (":path", "/evil")),
    fields("one that nobody knows", METHOD, SCHEME, AUTHORITY, PATH, (":foo", "bar")),
    fields("one that is empty", METHOD, SCHEME, AUTHORITY, PATH, (":", "bar")),
    fields(":status in a request", METHOD, SCHEME, AUTHORITY, PATH, (":status", "200")),
    fields(":protocol without CONNECT", METHOD, SCHEME, AUTHORITY, PATH, (":protocol", "websocket")),
    fields(":Method in upper case", (":Method", "GET"), SCHEME, AUTHORITY, PATH),
    fields(":path behind a field", METHOD, SCHEME, AUTHORITY, ("x", "y"), PATH),
    fields(":authority behind a field", METHOD, SCHEME, PATH, ("x", "y"), AUTHORITY),
    fields("pseudo-fields in another order", PATH, AUTHORITY, SCHEME, METHOD, wants=has(Host="test.example")),
]

SCHEMES = [
    fields("scheme https over clear text", *request(scheme="https"), wants=[answered(400, 421), reset(PROTOCOL_ERROR), served(Want(headers={"X-Forwarded-Proto": "http"}))]),
    fields("scheme that is empty", *request(scheme="")),
    fields("scheme ftp", *request(scheme="ftp")),
    fields("scheme with a host in it", *request(scheme="http://evil.example/x?")),
    fields("scheme with a line break", *request(scheme="http\r\nx: y")),
    fields("scheme with a space", *request(scheme="http ")),
]

PATHS = [
    path("that is empty", ""),
    path("without a slash", "foo"),
    path("that is a whole URI", "http://evil.example/"),
    path("* of a GET", "*"),
    path("with a fragment", "/a#b"),
    path("with a space", "/a b"),
    path("with a space and a version", "/x HTTP/1.1"),
    path("with a space at its end", "/x "),
    path("with a tab", "/a\tb"),
    path("with CR LF", "/\r\nx: y"),
    path("with LF", "/\nx: y"),
    path("with CR", "/\rx"),
    path("with NUL", "/a\0b"),
    path("with DEL", "/a\x7fb"),
    path("with 0x80", "/a\x80b"),
    path("with a query", "/a?b=c&d", wants=to_path("/a?b=c&d")),
    path("with a query alone", "?a"),
    path("with dots", "/a/../b/./c", wants=to_path("/b/c")),
    path("that leaves the root", "/../x"),
    path("with %00", "/a%00b"),
    path("with two slashes first", "//evil.example/x", wants=to_path("//evil.example/x")),
    path("of 9000 bytes", "/" + "p" * 9000, wants=answered(414)),
    case("OPTIONS *", headers(1, request("OPTIONS", "*")), wants=[served(Want("OPTIONS", "*")), answered(200, 204, 400)]),
]

AUTHORITIES = [
    authority("that is empty", ""),
    authority("with userinfo", "user@test.example"),
    authority("with userinfo and password", "user:pass@test.example"),
    authority("with a space", "test.example evil"),
    authority("with a slash", "test.example/evil"),
    authority("with a question mark", "test.example?x"),
    authority("with a comma", "test.example,evil.example"),
    authority("with CR LF", "test.example\r\nx: y"),
    authority("with NUL", "test.example\0"),
    authority("with a port that is none", "test.example:8x"),
    authority("with a port too large", "test.example:99999"),
    authority("with a port", "test.example:8080", wants=has(Host="test.example:8080")),
    authority("that is IPv6", "[::1]:80", wants=has(Host="[::1]:80")),
    authority("that is IPv6 and open", "[::1"),
    fields("Host instead of :authority", *request(authority=None), ("host", "test.example"), wants=has(Host="test.example")),
    fields("neither Host nor :authority", *request(authority=None)),
    having("Host as :authority", ("host", "test.example"), wants=has(Host="test.example")),
    having("Host unlike :authority", ("host", "evil.example")),
    having("Host that is empty", ("host", "")),
    fields("Host twice", *request(authority=None), ("host", "test.example"), ("host", "test.example")),
    having("Host twice beside :authority", ("host", "test.example"), ("host", "evil.example")),
    fields("Host with a line break", *request(authority=None), ("host", "test.example\r\nx: y")),
]

METHODS = [
    method("that is empty", ""),
    method("with a space", "GE T"),
    method("with a request line", "GET /evil HTTP/1.1"),
    method("with CR LF", "GET\r\nx: y"),
    method("with NUL", "GET\0"),
    method("with a slash", "GET/"),
    method("in lower case", "get", wants=[*BAD, answered(501)]),
    method("that nobody knows", "BREW", wants=answered(501, 400)),
    method("PRI", "PRI", wants=[*BAD, answered(501, 505)]),
    method("TRACE", "TRACE", wants=answered(405)),
    method("DELETE", "DELETE", wants=served(Want("DELETE"))),
    method("of 5000 bytes", "M" * 5000, wants=[*BAD, answered(501, 431)]),
]

CONNECTS = [
    fields("CONNECT", (":method", "CONNECT"), (":authority", "test.example:443"), wants=[*BAD, answered(405, 501, 403)]),
    fields("CONNECT with :path and :scheme", *request("CONNECT")),
    fields("CONNECT without :authority", (":method", "CONNECT")),
    fields("CONNECT with :path", (":method", "CONNECT"), AUTHORITY, PATH),
    fields("CONNECT for a protocol without :path", (":method", "CONNECT"), (":protocol", "websocket"), SCHEME, AUTHORITY),
    fields("CONNECT for a protocol without :scheme", (":method", "CONNECT"), (":protocol", "websocket"), AUTHORITY, PATH),
    fields("CONNECT for a protocol that nobody knows", *request("CONNECT"), (":protocol", "x-ray"), wants=[*BAD, answered(501, 405)]),
    fields("CONNECT for a protocol with a line break", *request("CONNECT"), (":protocol", "websocket\r\nx: y"), wants=[*BAD, answered(501, 405)]),
    fields("CONNECT for two protocols", *request("CONNECT"), (":protocol", "websocket"), (":protocol", "websocket")),
    fields(":protocol behind a field", *request("CONNECT"), ("x", "y"), (":protocol", "websocket")),
]

NAMES = [having(f"a name {what}", (name, "v")) for what, name in (
    ("in upper case", "X-Foo"), ("with one letter in upper case", "x-fOo"), ("that is empty", ""), ("with a space", "x foo"),
    ("with a space at its end", "x-foo "), ("with a space first", " x-foo"), ("with a colon", "x:foo"), ("with a tab", "x\tfoo"),
    ("with NUL", "x\0foo"), ("with CR LF", "x\r\nfoo"), ("with LF", "x\nfoo"), ("with CR", "x\rfoo"), ("with DEL", "x\x7ffoo"),
    ("with 0x80", "x\x80foo"), ("with a comma", "x,foo"), ("with a parenthesis", "x(foo"), ("with a slash", "x/foo"))]

VALUES = [having(f"a value {what}", ("x-foo", value)) for what, value in (
    ("with NUL", "a\0b"), ("with CR", "a\rb"), ("with LF", "a\nb"), ("with CR LF", "a\r\nb: c"), ("with CR at its end", "a\r"),
    ("with LF first", "\na"), ("that is NUL", "\0"), ("with a space first", " a"), ("with a space at its end", "a "),
    ("with a tab first", "\ta"), ("with a tab at its end", "a\t"), ("that is a space", " "), ("with 0x01", "a\x01b"), ("with DEL", "a\x7fb"),
    ("with VT", "a\x0bb"))] + [
    having("a value that is empty", ("x-foo", ""), wants=has(x_foo="")),
    having("a value with bytes from 0x80", ("x-foo", "a\x80\xffb"), wants=has(x_foo="a\x80\xffb")),
    having("a value with spaces and tabs inside", ("x-foo", "a \t b"), wants=has(x_foo="a \t b")),
    having("a value of 10000", ("x-foo", "v" * 10000), wants=has(x_foo="v" * 10000)),
    having("a name of every sign that may be", ("!#$%&'*+-.^`|~09az", "v"), wants=served(Want(headers={"!#$%&'*+-.^`|~09az": "v"}))),
    having("a name with an underscore", ("x_foo", "v"), wants=served(Want(absent=("x_foo",)))),
]

HOP_BY_HOP = [having(f"{name}: {value}", (name, value)) for name, value in (
    ("connection", "close"), ("connection", "keep-alive"), ("connection", "x-foo"), ("connection", ""), ("proxy-connection", "keep-alive"),
    ("keep-alive", "timeout=5"), ("transfer-encoding", "chunked"), ("transfer-encoding", "identity"), ("transfer-encoding", ""),
    ("upgrade", "h2c"), ("upgrade", "websocket"), ("te", "gzip"), ("te", "trailers, chunked"), ("te", "chunked"))] + [
    having("te: trailers", ("te", "trailers"), wants=served(Want())),
    having("te: Trailers", ("te", "Trailers"), wants=[*BAD, served(Want())]),
    having("expect of something else", ("expect", "a-miracle"), wants=answered(417)),
]

REPEATED = [
    having("cookies in pieces", ("cookie", "a=1"), ("cookie", "b=2"), ("x", "y"), ("cookie", "c=3"), wants=has(Cookie="a=1; b=2; c=3")),
    having("one cookie", ("cookie", "a=1; b=2"), wants=has(Cookie="a=1; b=2")),
    having("a cookie with a line break", ("cookie", "a=1"), ("cookie", "b\r\nx: y")),
    having("a field twice keeps its order", ("x-foo", "1"), ("x-bar", "2"), ("x-foo", "3"), wants=has(x_foo=["1", "3"], x_bar="2")),
    having("what only we say", ("x-forwarded-for", "6.6.6.6"), ("x-forwarded-proto", "gopher"), ("forwarded", "for=6.6.6.6"),
           wants=served(Want(headers={"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http"}))),
]

LIMITS = [
    having("90 fields", *[(f"x-{i}", "v") for i in range(90)], wants=served(Want(headers={"x-89": "v"}))),
    having("200 fields", *[(f"x-{i}", "v") for i in range(200)], wants=answered(431)),
    having("200 cookies", *[("cookie", f"c{i}=v") for i in range(200)], wants=has(Cookie="; ".join(f"c{i}=v" for i in range(200)))),
    having("a field of 15000", ("x-foo", "v" * 15000), wants=has(x_foo="v" * 15000)),
]

CASES = (PSEUDO + SCHEMES + PATHS + AUTHORITIES + METHODS + CONNECTS + NAMES + VALUES + HOP_BY_HOP + REPEATED + LIMITS)
