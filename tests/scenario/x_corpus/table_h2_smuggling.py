"""Lengths that do not hold, and what smugglers write: the HTTP/1 server gets one request beyond doubt, or none."""
from support.h2 import GET, POST, PROTOCOL_ERROR, data, headers, request
from support.h2_corpus import Want, answered, case, cut, malformed, reset, served

EVIL = b"GET /evil HTTP/1.1\r\nHost: test.example\r\n\r\n"
EVIL_TEXT = EVIL.decode()
# A request of length 0 is whole when its head has come: the server may have it before DATA shows the lie; it has no body,
# and its answer may even come first.
WITHOUT_BODY = [reset(PROTOCOL_ERROR, requests=[Want("POST", "/", b"")]), answered(200, requests=[Want("POST", "/", b"")])]
WITHOUT_BODY_GET = [reset(PROTOCOL_ERROR, requests=[Want()]), answered(200, requests=[Want()])]


def length(name, value, body, wants=None, end=True, **more):
    """A POST with this content-length and this body."""
    return case("length " + name, headers(1, [*POST, ("content-length", value)], end=False, **more), data(1, body, end=end),
                wants=[*malformed(), cut()] if wants is None else wants)


def sent(name, *fields, body=None, wants=None):
    frames = [headers(1, list(fields), end=body is None)] + ([data(1, body, end=True)] if body is not None else [])
    return case(name, *frames, wants=malformed() if wants is None else wants)


def posted(body, **more):
    return served(Want("POST", "/", body, **more))


LENGTHS = [
    length("as the body", "5", b"hello", wants=posted(b"hello", headers={"Content-Length": "5"}, absent=("Transfer-Encoding",))),
    length("of 0 and none", "0", b"", wants=posted(b"")),
    length("less than the body", "3", b"hello"),
    length("more than the body", "7", b"hello"),
    length("0 and a request as body (H2.CL)", "0", EVIL, wants=[*malformed(), *WITHOUT_BODY]),
    length("that hides a request (H2.CL)", "5", b"hello" + EVIL),
    length("+5", "+5", b"hello"),
    length("-5", "-5", b"hello"),
    length("5, 5", "5, 5", b"hello"),
    length("5,5", "5,5", b"hello"),
    length("0x5", "0x5", b"hello"),
    length("05", "05", b"hello", wants=[*malformed(), cut(), posted(b"hello")]),
    length("5 with a space", "5 ", b"hello"),
    length("that is empty", "", b"hello"),
    length("words", "five", b"hello"),
    length("5_0", "5_0", b"hello"),
    length("beyond 64 bits", "18446744073709551621", b"hello"),
    length("with a line break", "5\r\nx: y", b"hello"),
    length("with NUL", "5\0", b"hello"),
    case("length twice, the same", headers(1, [*POST, ("content-length", "5"), ("content-length", "5")], end=False), data(1, b"hello", end=True),
         wants=[*malformed(), cut()]),
    case("length twice, differing", headers(1, [*POST, ("content-length", "5"), ("content-length", "0")], end=False), data(1, b"hello", end=True),
         wants=[*malformed(), cut()]),
    case("length of a request that ends with its head", headers(1, [*POST, ("content-length", "5")]), wants=malformed()),
    case("length 0 of a request that ends with its head", headers(1, [*POST, ("content-length", "0")]), wants=posted(b"")),
    case("length and trailers come too early", headers(1, [*POST, ("content-length", "5")], end=False), data(1, b"hel"),
         headers(1, [("x-t", "1")]), wants=cut()),
    case("length and trailers", headers(1, [*POST, ("content-length", "5")], end=False), data(1, b"hello"), headers(1, [("x-t", "1")]),
         wants=posted(b"hello")),
    case("length and an empty end too early", headers(1, [*POST, ("content-length", "5")], end=False), data(1, b""), data(1, b"", end=True),
         wants=cut()),
    case("length that is passed in the second piece", headers(1, [*POST, ("content-length", "5")], end=False), data(1, b"hel"),
         data(1, b"lo" + EVIL, end=True), wants=cut()),
    case("length that is passed by padding alone", headers(1, [*POST, ("content-length", "5")], end=False), data(1, b"hello", end=True, pad=50),
         wants=posted(b"hello")),
]

CODINGS = [
    sent("chunked and a request behind it (H2.TE)", *POST, ("transfer-encoding", "chunked"), body=b"0\r\n\r\n" + EVIL),
    sent("chunked and a length", *POST, ("content-length", "5"), ("transfer-encoding", "chunked"), body=b"hello"),
    sent("chunked with a tab", *POST, ("transfer-encoding", "\tchunked"), body=b"0\r\n\r\n"),
    sent("chunked in a name of another case", *POST, ("Transfer-Encoding", "chunked"), body=b"0\r\n\r\n" + EVIL),
    sent("chunked in a name with a space", *POST, ("transfer-encoding ", "chunked"), body=b"0\r\n\r\n" + EVIL),
    sent("chunked in a name with a colon", *POST, ("transfer-encoding:", "chunked"), body=b"0\r\n\r\n" + EVIL),
    sent("chunked behind a line break", *POST, ("x-foo", "bar\r\nTransfer-Encoding: chunked"), body=b"0\r\n\r\n" + EVIL),
    sent("chunked behind a bare LF", *POST, ("x-foo", "bar\nTransfer-Encoding: chunked"), body=b"0\r\n\r\n" + EVIL),
    sent("chunked behind a bare CR", *POST, ("x-foo", "bar\rTransfer-Encoding: chunked"), body=b"0\r\n\r\n" + EVIL),
    sent("chunked with an underscore", *POST, ("transfer_encoding", "chunked"), body=b"hello", wants=posted(b"hello")),
    sent("te that is more than trailers", *POST, ("te", "trailers\r\nTransfer-Encoding: chunked"), body=b"0\r\n\r\n" + EVIL),
    sent("connection that names the length", *POST, ("connection", "content-length"), ("content-length", "5"), body=b"hello"),
]

INJECTIONS = [
    sent("a request in a value", *GET, ("x-foo", "bar\r\n\r\n" + EVIL_TEXT)),
    sent("a request in a name", *GET, ("x-foo: bar\r\n\r\n" + EVIL_TEXT, "v")),
    sent("a field in a name", *GET, ("x-foo: bar\r\nx-evil", "v")),
    sent("a field in a name by its colon", *GET, ("x-evil: yes, x-foo", "v")),
    sent("a request in :method", *request("GET / HTTP/1.1\r\nHost: test.example\r\n\r\nGET")),
    sent("a request in :path", *request(path="/ HTTP/1.1\r\nHost: test.example\r\n\r\nGET /evil")),
    sent("a version in :path", *request(path="/ HTTP/1.1")),
    sent("HTTP/0.9 in :path", *request(path="/ ")),
    sent("a field in :authority", *request(authority="test.example\r\nX-Evil: yes")),
    sent("a request in :authority", *request(authority="test.example\r\n\r\n" + EVIL_TEXT)),
    sent("a request in :scheme", *request(scheme="http\r\n\r\n" + EVIL_TEXT)),
    sent("a path in :scheme", *request(scheme="http://evil.example/admin?")),
    sent("a path in :authority", *request(authority="test.example/admin")),
    sent("a host in :path", *request(path="@evil.example/")),
    sent("a request in a cookie", *GET, ("cookie", "a=b\r\n\r\n" + EVIL_TEXT)),
    sent("a field in the second of two cookies", *GET, ("cookie", "a=b"), ("cookie", "c\r\nX-Evil: yes")),
    sent("a request in host", *request(authority=None), ("host", "test.example\r\n\r\n" + EVIL_TEXT)),
    sent("a line break at the end of a value", *GET, ("x-foo", "bar\r\n")),
    sent("a second Host by an underscore", *GET, ("http_host", "evil.example"), wants=served(Want(headers={"Host": "test.example"}))),
]

PLAIN_BODIES = [
    sent("a body that is a chunk's end and a request", *POST, body=b"0\r\n\r\n" + EVIL, wants=posted(b"0\r\n\r\n" + EVIL)),
    sent("a body that is a request, of its length", *POST, ("content-length", str(len(EVIL))), body=EVIL, wants=posted(EVIL)),
    sent("a GET whose body is a request", *GET, body=EVIL, wants=served(Want(body=EVIL))),
    sent("a GET of length 0 whose body is a request", *GET, ("content-length", "0"), body=EVIL, wants=[*malformed(), *WITHOUT_BODY_GET]),
    sent("a HEAD whose body is a request", *request("HEAD"), body=EVIL, wants=served(Want("HEAD", body=EVIL))),
    sent("a DELETE whose body is a request", *request("DELETE"), body=EVIL, wants=served(Want("DELETE", body=EVIL))),
    sent("an expectation and a body at once", *POST, ("expect", "100-continue"), ("content-length", "5"), body=b"hello", wants=posted(b"hello")),
    sent("an expectation, no length, a body that is a request", *POST, ("expect", "100-continue"), body=EVIL, wants=posted(EVIL)),
    sent("an upgrade to h2c", *GET, ("upgrade", "h2c"), ("http2-settings", "AAMAAABkAAQAAP__")),
    sent("http2-settings alone", *GET, ("http2-settings", "AAMAAABkAAQAAP__"), wants=served(Want())),
]

CASES = LENGTHS + CODINGS + INJECTIONS + PLAIN_BODIES
