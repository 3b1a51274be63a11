"""Answers of origins, good and bad (RFC 9112 sections 4 to 8, RFC 9110 section 15)."""
import re

from support.response_corpus import answer, bad, chunked, good, head, torn

EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
OK = head(b"Content-Length: 2") + b"ok"
HI = good(body=b"hi")


def status_line(name, line, *outcomes):
    return answer("status line " + name, line + b"\r\nContent-Length: 2\r\n\r\nhi", *(outcomes or (bad(),)))


def field(name, line, *outcomes):
    return answer("field " + name, head(line, b"Content-Length: 2") + b"hi", *(outcomes or (bad(),)))


def length(name, value, *outcomes):
    return answer("length " + name, head(b"Content-Length:" + value) + b"hello" + EVIL, *(outcomes or (bad(),)))


def coding(name, value, *outcomes):
    return answer("coding " + name, head(b"Transfer-Encoding:" + value) + b"2\r\nhi\r\n0\r\n\r\n", *(outcomes or (bad(),)))


def chunk(name, body, **more):
    """A fault in the body: nothing but a visible break will do, or 502 where nothing was sent yet."""
    return answer("chunk " + name, chunked(body), torn(), bad(), **more)


CASES = [
    # status lines
    status_line("plain", b"HTTP/1.1 200 OK", HI),
    status_line("with an empty reason", b"HTTP/1.1 200 ", HI),
    status_line("without reason", b"HTTP/1.1 200", HI, bad()),
    status_line("with a reason past 127", b"HTTP/1.1 200 D\xe9j\xe0 vu", HI),
    status_line("with an unknown status", b"HTTP/1.1 299 Said", good(299, b"hi")),
    status_line("with 599", b"HTTP/1.1 599 Said", good(599, b"hi")),
    status_line("in HTTP/1.0", b"HTTP/1.0 200 OK", HI),
    status_line("in HTTP/1.2", b"HTTP/1.2 200 OK", HI, bad()),
    status_line("with 600", b"HTTP/1.1 600 X"),
    status_line("with 999", b"HTTP/1.1 999 X"),
    status_line("with 000", b"HTTP/1.1 000 X"),
    status_line("with 99", b"HTTP/1.1 099 X"),
    status_line("with two digits", b"HTTP/1.1 20 OK"),
    status_line("with four digits", b"HTTP/1.1 2000 OK"),
    status_line("without status", b"HTTP/1.1 OK"),
    status_line("with letters", b"HTTP/1.1 2xx OK"),
    status_line("with a sign", b"HTTP/1.1 +20 OK"),
    status_line("of HTTP/2.0", b"HTTP/2.0 200 OK"),
    status_line("of HTTP/2", b"HTTP/2 200"),
    status_line("of HTTP/0.9", b"HTTP/0.9 200 OK"),
    status_line("of HTTP/1.10", b"HTTP/1.10 200 OK"),
    status_line("of HTTP/11", b"HTTP/11 200 OK"),
    status_line("in small letters", b"http/1.1 200 OK"),
    status_line("of ICE", b"ICE/1.0 200 OK"),
    status_line("of ICY", b"ICY 200 OK"),
    status_line("of RTSP", b"RTSP/1.0 200 OK"),
    status_line("with two spaces", b"HTTP/1.1  200 OK"),
    status_line("with a tab", b"HTTP/1.1\t200 OK"),
    status_line("behind a space", b" HTTP/1.1 200 OK"),
    status_line("with a nul in the reason", b"HTTP/1.1 200 O\x00K"),
    status_line("with a bare CR in the reason", b"HTTP/1.1 200 O\rK"),
    status_line("with a bare CR that hides a field", b"HTTP/1.1 200 OK\rX: y"),
    status_line("that is a request", b"GET / HTTP/1.1"),
    answer("status line behind an empty line", b"\r\n" + OK, good(body=b"ok"), bad()),
    answer("only line ends", b"\r\n\r\n\r\n\r\n", bad(), then="close"),
    answer("text", b"hello there\r\n\r\n", bad()),
    answer("HTTP/0.9", b"<html>hello</html>", bad(), then="close"),
    answer("a TLS alert", b"\x15\x03\x01\x00\x02\x02\x46", bad(), then="close"),
    answer("random bytes", bytes((i * 73 + 11) % 256 for i in range(3000)), bad()),
    answer("nuls", b"\x00" * 1000, bad()),

    # line ends and fields
    answer("bare LF everywhere", b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", bad()),
    answer("bare LF after the status line", b"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nhi", bad()),
    answer("bare LF at the end of the head", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\nhi", bad()),
    answer("CR and a letter at the end of the head", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\rXhi", bad()),
    field("with a bare CR", b"X: a\rb"),
    field("with a bare LF", b"X: a\nY: b"),
    field("with a nul", b"X: a\x00b"),
    field("with a control character", b"X: a\x01b"),
    field("with a delete", b"X: a\x7fb"),
    field("folded", b"X: a\r\n b"),
    field("folded with a tab", b"X: a\r\n\tb"),
    field("with a space before the colon", b"X : a"),
    field("with a tab before the colon", b"X\t: a"),
    field("without name", b": a"),
    field("without colon", b"X"),
    field("with a space in the name", b"X Y: a"),
    field("with a bracket in the name", b"X(: a"),
    field("with a byte past 127 in the name", b"X\xe9: a"),
    field("behind a space, first", b" X: a"),
    field("of 300,000 bytes", b"X: " + b"a" * 300000),
    answer("field count 5000", head(*[b"X%d: a" % i for i in range(5000)], b"Content-Length: 0"), bad()),
    answer("a head without end", b"HTTP/1.1 200 OK\r\n" + b"X: aaaaaaaaaaaaaaaa\r\n" * 50000, bad()),
    field("with a byte past 127 in the value", b"X: \xe9", good(body=b"hi", headers={"x": "\xe9"})),
    field("with an underscore", b"X_Y: a", good(body=b"hi", headers={"x_y": "a"})),
    field("empty", b"X:", good(body=b"hi", headers={"x": ""})),
    answer("Set-Cookie three times keeps order and lines", head(b"Set-Cookie: a=1; Path=/", b"Content-Length: 0", b"set-cookie: b=2", b"Set-Cookie: a=3"),
           good(headers={"set-cookie": ["a=1; Path=/", "b=2", "a=3"]})),
    answer("repeated fields keep order", head(b"X: 1", b"Y: 2", b"X: 3", b"Content-Length: 0"), good(headers={"x": ["1", "3"], "y": "2"})),
    answer("Server and Date stay", head(b"Server: mine", b"Date: Sun, 06 Nov 1994 08:49:37 GMT", b"Content-Length: 0"),
           good(headers={"server": "mine", "date": "Sun, 06 Nov 1994 08:49:37 GMT"})),
    answer("Date is added, Server is not", head(b"Content-Length: 0"),
           good(headers={"date": re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")}, absent=("server",))),

    # Content-Length
    length("twice, identical", b" 5\r\nContent-Length: 5"),
    length("twice, different", b" 5\r\nContent-Length: 6"),
    length("list", b" 5, 5"),
    length("plus", b" +5"),
    length("minus", b" -5"),
    length("hexadecimal", b" 0x5"),
    length("empty", b""),
    length("letters", b" five"),
    length("two numbers", b" 5 5"),
    length("2^64", b" 18446744073709551616"),
    length("2^64 + 5", b" 18446744073709551621"),
    length("folded", b"\r\n 5"),
    length("with a space before the colon", b" 5\r\nContent-Length : 5"),
    length("and Transfer-Encoding", b" 5\r\nTransfer-Encoding: chunked"),
    answer("coding and length, the body chunked", chunked(b"2\r\nhi\r\n0\r\n\r\n", b"Content-Length: 12"), bad()),
    answer("length 0", head(b"Content-Length: 0"), good()),
    answer("length with the body in one byte pieces is whole", head(b"Content-Length: 5") + b"hello", good(body=b"hello")),

    # Transfer-Encoding
    coding("in other case", b" CHUNKED", HI),
    coding("twice", b" chunked, chunked"),
    coding("in two lines", b" chunked\r\nTransfer-Encoding: chunked"),
    coding("gzip, chunked", b" gzip, chunked"),
    coding("gzip", b" gzip"),
    coding("identity", b" identity"),
    coding("chunked, identity", b" chunked, identity"),
    coding("with a parameter", b" chunked;a=b"),
    coding("comma first", b" ,chunked"),
    coding("empty", b""),
    coding("vertical tab first", b" \x0bchunked"),
    coding("folded", b"\r\n chunked"),
    coding("with a space before the colon", b" chunked\r\nTransfer-Encoding : chunked"),
    answer("coding in HTTP/1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", bad(), then="close"),

    # bodies
    answer("chunks", chunked(b"2\r\nhi\r\n3\r\n yo\r\n0\r\n\r\n"), good(body=b"hi yo")),
    answer("no chunk", chunked(b"0\r\n\r\n"), good()),
    answer("chunk extensions are dropped", chunked(b'2;a=b;c="d;e"\r\nhi\r\n0;x\r\n\r\n'), HI),
    answer("2000 chunks of a byte", chunked(b"1\r\nx\r\n" * 2000 + b"0\r\n\r\n"), good(body=b"x" * 2000)),
    answer("trailers for who takes them", chunked(b"2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n", b"Trailer: X-Sum"),
           good(body=b"hi", trailers=[("X-Sum", "7")], absent=("x-sum",)), headers=(("TE", "trailers"), ("Connection", "TE"))),
    answer("trailers are never merged", chunked(b"2\r\nhi\r\n0\r\nX-Sum: 7\r\nSet-Cookie: a=b\r\n\r\n"),
           good(body=b"hi", absent=("x-sum", "set-cookie"))),
    chunk("size with plus", b"+2\r\nhi\r\n0\r\n\r\n"),
    chunk("size with 0x", b"0x2\r\nhi\r\n0\r\n\r\n"),
    chunk("size with a space first", b" 2\r\nhi\r\n0\r\n\r\n"),
    chunk("size of no number", b"zz\r\nhi\r\n0\r\n\r\n"),
    chunk("size empty", b"\r\nhi\r\n0\r\n\r\n"),
    chunk("size of 17 digits", b"00000000000000002\r\nhi\r\n0\r\n\r\n"),
    chunk("size of 2^64 + 2", b"10000000000000002\r\nhi\r\n0\r\n\r\n"),
    chunk("bare LF after the size", b"2\nhi\r\n0\r\n\r\n"),
    chunk("CR and a letter after the size", b"2\rXhi\r\n0\r\n\r\n"),
    chunk("no line end after the data", b"2\r\nhi0\r\n\r\n"),
    chunk("bare LF after the data", b"2\r\nhi\n0\r\n\r\n"),
    chunk("a byte too many", b"2\r\nhi!\r\n0\r\n\r\n"),
    chunk("second one bad", b"2\r\nhi\r\nzz\r\n"),
    chunk("bare LF in an extension", b"2;a\n2\r\nhi\r\n0\r\n\r\n"),
    chunk("quote left open in an extension", b'2;a="b\r\nhi\r\n0\r\n\r\n'),
    chunk("bare LF at the end", b"2\r\nhi\r\n0\r\n\n"),
    chunk("trailer without name", b"2\r\nhi\r\n0\r\n: a\r\n\r\n"),
    chunk("trailer folded", b"2\r\nhi\r\n0\r\nX: a\r\n b\r\n\r\n"),
    chunk("trailer with a nul", b"2\r\nhi\r\n0\r\nX: \x00\r\n\r\n"),
    answer("trailer Content-Length", chunked(b"2\r\nhi\r\n0\r\nContent-Length: 9\r\n\r\n"), torn(), bad(), good(body=b"hi", trailers=[])),
    answer("trailer Transfer-Encoding", chunked(b"2\r\nhi\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"), torn(), bad(), good(body=b"hi", trailers=[])),

    # ends that come too early
    answer("closed without a byte", b"", bad(), then="close"),
    answer("reset without a byte", b"", bad(), then="reset"),
    answer("closed inside the status line", b"HTTP/1.1 20", bad(), then="close"),
    answer("closed inside the head", b"HTTP/1.1 200 OK\r\nX: a\r\n", bad(), then="close"),
    answer("closed before the last LF of the head", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r", bad(), then="close"),
    answer("reset inside the head", b"HTTP/1.1 200 OK\r\nX: a\r\n", bad(), then="reset"),
    answer("closed before the body", head(b"Content-Length: 5"), torn(), bad(), then="close"),
    answer("closed inside the body", head(b"Content-Length: 5") + b"hell", torn(), bad(), then="close"),
    answer("reset inside the body", head(b"Content-Length: 5") + b"hell", torn(), bad(), then="reset"),
    answer("closed before the first chunk", chunked(b""), torn(), bad(), then="close"),
    answer("closed inside a chunk", chunked(b"5\r\nhell"), torn(), bad(), then="close"),
    answer("closed between chunks", chunked(b"2\r\nhi\r\n"), torn(), bad(), then="close"),
    answer("closed inside a size", chunked(b"2\r\nhi\r\n1"), torn(), bad(), then="close"),
    answer("closed after the last size", chunked(b"2\r\nhi\r\n0\r\n"), torn(), bad(), then="close"),
    answer("closed inside the trailers", chunked(b"2\r\nhi\r\n0\r\nX: a\r\n"), torn(), bad(), then="close"),
    answer("reset between chunks", chunked(b"2\r\nhi\r\n"), torn(), bad(), then="reset"),
    answer("closed inside a large body", head(b"Content-Length: 1000000") + b"x" * 900000, torn(), bad(), then="close"),

    # bodies that end with the connection
    answer("no length, closed", head() + b"all of it", good(body=b"all of it", drops=True), then="close"),
    answer("no length, empty, closed", head(), good(drops=True), then="close"),
    answer("no length, Connection: close", head(b"Connection: close") + b"all", good(body=b"all", drops=True), then="close"),
    answer("no length in HTTP/1.0", b"HTTP/1.0 200 OK\r\n\r\nall of it", good(body=b"all of it", drops=True), then="close"),
    answer("no length in HTTP/1.0 kept alive", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nall of it",
           good(body=b"all of it", drops=True), then="close"),
    answer("no length, to an HTTP/1.0 client", head() + b"all of it", good(body=b"all of it", drops=True), then="close", version="1.0"),
    answer("no length, reset", head() + b"not all of it", torn(), bad(), then="reset"),
    answer("chunks to an HTTP/1.0 client", chunked(b"2\r\nhi\r\n0\r\n\r\n"), good(body=b"hi", absent=("transfer-encoding",)), version="1.0"),
    answer("cut chunks to an HTTP/1.0 client", chunked(b"2\r\nhi\r\n"), torn(), bad(), then="close", version="1.0"),
    answer("HTTP/1.0 with a length, closed", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", good(body=b"hi", drops=True), then="close"),
    answer("HTTP/1.0 with a length is not kept", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", good(body=b"hi", drops=True)),
    answer("Connection: close ends the server's connection, not the client's", head(b"Connection: close", b"Content-Length: 2") + b"hi",
           good(body=b"hi", drops=True)),

    # bytes too many: never anybody's answer
    answer("extra after a length", OK + b"extra", good(body=b"ok", drops=True)),
    answer("a whole answer too many", OK + EVIL, good(body=b"ok", drops=True)),
    answer("a whole answer too many, later", OK, good(body=b"ok", drops=True), then=0.1, later=EVIL),
    answer("a line end too many", OK + b"\r\n", good(body=b"ok", drops=True)),
    answer("an interim too many", OK + b"HTTP/1.1 100 Continue\r\n\r\n", good(body=b"ok", drops=True)),
    answer("a 408 as farewell", OK, good(body=b"ok", drops=True), then=0.1, later=head(b"Content-Length: 0", b"Connection: close", status=b"408 T")),
    answer("extra after chunks", chunked(b"2\r\nok\r\n0\r\n\r\n") + EVIL, good(body=b"ok", drops=True)),
    answer("extra after length 0", head(b"Content-Length: 0") + EVIL, good(drops=True)),
    answer("extra after a 204", head(status=b"204 No Content") + EVIL, good(204, drops=True)),
    answer("extra after a 304", head(b'ETag: "a"', status=b"304 Not Modified") + EVIL, good(304, drops=True)),
    answer("a body behind a 304", head(b"Content-Length: 5", status=b"304 Not Modified") + b"hello", good(304, drops=True)),
    answer("a body behind a HEAD", head(b"Content-Length: 5") + b"hello", good(drops=True), method="HEAD"),
    answer("chunks behind a HEAD", chunked(b"2\r\nhi\r\n0\r\n\r\n"), good(drops=True), method="HEAD"),
    answer("a body behind a 204", head(b"Content-Length: 5", status=b"204 No Content") + b"hello",
           good(204, absent=("content-length",), drops=True), bad()),

    # no body whatever the fields say
    answer("204", head(status=b"204 No Content"), good(204, absent=("content-length", "transfer-encoding"))),
    answer("204 with a length", head(b"Content-Length: 5", status=b"204 No Content"), good(204, absent=("content-length",)), bad()),
    answer("204 with length 0", head(b"Content-Length: 0", status=b"204 No Content"), good(204, absent=("content-length",))),
    answer("204 with a coding", head(b"Transfer-Encoding: chunked", status=b"204 No Content"), good(204, absent=("transfer-encoding",)), bad()),
    answer("304", head(b'ETag: "a"', status=b"304 Not Modified"), good(304, headers={"etag": '"a"'}, absent=("transfer-encoding",))),
    answer("304 with a length", head(b"Content-Length: 5", status=b"304 Not Modified"), good(304, headers={"content-length": "5"})),
    answer("304 with a coding", head(b"Transfer-Encoding: chunked", status=b"304 Not Modified"), good(304), bad()),
    answer("HEAD with a length", head(b"Content-Length: 5"), good(headers={"content-length": "5"}), method="HEAD"),
    answer("HEAD with a coding", head(b"Transfer-Encoding: chunked"), good(absent=("content-length",)), method="HEAD"),
    answer("HEAD without either", head(), good(), method="HEAD"),
    answer("HEAD with two lengths", head(b"Content-Length: 5", b"Content-Length: 6"), bad(), method="HEAD"),
    answer("HEAD with both", head(b"Content-Length: 5", b"Transfer-Encoding: chunked"), bad(), method="HEAD"),

    # interim responses
    answer("103", head(b"Link: </a>", status=b"103 Early Hints") + OK, good(body=b"ok", interim=[103])),
    answer("103 three times", head(b"Link: </a>", status=b"103 Early Hints") * 3 + OK, good(body=b"ok", interim=[103] * 3)),
    answer("102 and 103", head(status=b"102 Processing") + head(status=b"103 Early Hints") + OK, good(body=b"ok", interim=[102, 103])),
    answer("103 to an HTTP/1.0 client is swallowed", head(b"Link: </a>", status=b"103 Early Hints") + OK,
           good(body=b"ok", interim=[]), version="1.0"),
    answer("103 that announces a body", head(b"Content-Length: 4", status=b"103 Early Hints") + OK, good(body=b"ok", interim=[103]), bad()),
    answer("103 in chunks", head(b"Transfer-Encoding: chunked", status=b"103 Early Hints") + OK, good(body=b"ok", interim=[103]), bad()),
    answer("100 that nobody expected", head(status=b"100 Continue") + OK, good(body=b"ok", interim=[]), good(body=b"ok", interim=[100])),
    answer("100, then closed", head(status=b"100 Continue"), bad(), then="close"),
    answer("103, then closed", head(status=b"103 Early Hints"), bad(), then="close"),
    answer("103, then rubbish", head(status=b"103 Early Hints") + b"rubbish\r\n\r\n", bad()),
    answer("50 interim responses", head(status=b"103 Early Hints") * 50 + OK, good(body=b"ok"), bad()),
    answer("interim responses without end", head(status=b"103 Early Hints") * 20000, bad(), then="close"),
    answer("101 that nobody asked for", head(status=b"101 Switching Protocols") + EVIL, bad()),
    answer("101 with an Upgrade that nobody asked for", head(b"Connection: Upgrade", b"Upgrade: websocket", status=b"101 Switching Protocols") + EVIL, bad()),
    answer("101 to another protocol than asked for", head(b"Connection: Upgrade", b"Upgrade: other", status=b"101 Switching Protocols") + EVIL,
           bad(), headers=(("Connection", "Upgrade"), ("Upgrade", "websocket"))),
    answer("101 without Upgrade where one was asked for", head(status=b"101 Switching Protocols") + EVIL,
           bad(), headers=(("Connection", "Upgrade"), ("Upgrade", "websocket"))),

    # for one hop only
    answer("Connection names a field", head(b"Connection: X-Foo", b"X-Foo: 1", b"X-Bar: 2", b"Content-Length: 0"),
           good(headers={"x-bar": "2"}, absent=("x-foo",))),
    answer("Keep-Alive and Proxy-Connection go", head(b"Keep-Alive: timeout=5", b"Proxy-Connection: close", b"Content-Length: 0"),
           good(absent=("keep-alive", "proxy-connection"))),
    answer("Connection cannot remove Content-Length", head(b"Connection: Content-Length", b"Content-Length: 2") + b"hi", HI),
    answer("Connection cannot remove Transfer-Encoding", chunked(b"2\r\nhi\r\n0\r\n\r\n", b"Connection: Transfer-Encoding"), HI),

    # time
    answer("no head in time", b"", bad(504)),
    answer("half a head in time", b"HTTP/1.1 200 OK\r\nX: a\r\n", bad(504)),
    answer("half a body in time", head(b"Content-Length: 5") + b"he", torn()),
    answer("half a chunked body in time", chunked(b"2\r\nhi\r\n"), torn()),
]
