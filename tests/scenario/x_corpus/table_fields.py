"""Field lines: RFC 9110 section 5, RFC 9112 sections 2.2 and 5."""
from support.corpus import EVIL, HOST, Want, cut, either, forward, forwarded, get_with, refuse

BAD_NAME_BYTES = b'"(),/:;<=>?@[\\]{} \t\x01\x1b\x7f\x80\xff'
CONTROLS = [byte for byte in range(32) if byte not in (0, 9, 10, 13)] + [127]


def lines(name, field_lines, *statuses):
    return refuse(name, get_with(field_lines) + EVIL, *statuses)


def _printable(byte):
    return repr(chr(byte)) if 32 < byte < 127 else f"{byte:#04x}"


CASES = [
    lines("bare CR in a value", b"X: a\rb\r\n"),
    lines("bare CR at the end of a value", b"X: a\r\r\n"),
    lines("bare CR at the start of a value", b"X: \ra\r\n"),
    lines("bare CR that hides a field", b"X: a\rContent-Length: 99\r\n"),
    lines("nul in a value", b"X: a\x00b\r\n"),
    lines("nul as a value", b"X: \x00\r\n"),
    lines("nul at the end of a value", b"X: a\x00\r\n"),
    lines("nul in a name", b"X\x00Y: a\r\n"),
    refuse("bare LF everywhere", b"GET / HTTP/1.1\nHost: test.example\n\n" + EVIL),
    refuse("bare LF after the request line", b"GET / HTTP/1.1\n" + HOST + b"\r\n" + EVIL),
    lines("bare LF after a field", b"X: a\nY: b\r\n"),
    lines("bare LF after the last field", b"X: a\n"),
    refuse("bare LF at the end of the head", b"GET / HTTP/1.1\r\n" + HOST + b"\n" + EVIL),
    refuse("LF LF at the end of the head", b"GET / HTTP/1.1\r\nHost: test.example\n\n" + EVIL),
    refuse("LF CR LF at the end of the head", b"GET / HTTP/1.1\r\nHost: test.example\n\r\n" + EVIL),
    refuse("CR alone at the end of the head", b"GET / HTTP/1.1\r\n" + HOST + b"\rX" + EVIL),
    refuse("CR alone as line end", b"GET / HTTP/1.1\rHost: test.example\r\r" + EVIL + b"\r\n\r\n"),
    refuse("CR CR LF at the end of the head", b"GET / HTTP/1.1\r\n" + HOST + b"\r\r\n" + EVIL),
    lines("folded with a space", b"X: a\r\n b\r\n"),
    lines("folded with a tab", b"X: a\r\n\tb\r\n"),
    lines("folded to nothing", b"X: a\r\n \r\n"),
    lines("folded from nothing", b"X:\r\n a\r\n"),
    lines("folded into a field", b"X: a\r\n Content-Length: 99\r\n"),
    refuse("a space before the first field", b"GET / HTTP/1.1\r\n X: a\r\n" + HOST + b"\r\n" + EVIL),
    refuse("a tab before the first field", b"GET / HTTP/1.1\r\n\tX: a\r\n" + HOST + b"\r\n" + EVIL),
    refuse("a line of space before the first field", b"GET / HTTP/1.1\r\n \r\n" + HOST + b"\r\n" + EVIL),
    refuse("Host behind a space", b"GET / HTTP/1.1\r\n Host: evil.example\r\n" + HOST + b"\r\n" + EVIL),
    lines("a space before the colon", b"X : a\r\n"),
    lines("a tab before the colon", b"X\t: a\r\n"),
    lines("an empty name", b": a\r\n"),
    lines("a space for a name", b" : a\r\n"),
    lines("no colon", b"X\r\n"),
    lines("no colon, two words", b"X a\r\n"),
    lines("a request line among the fields", b"GET /evil HTTP/1.1\r\n"),
    lines("a colon alone", b":\r\n"),
    lines("a field line of 70,000 bytes", b"X: " + b"a" * 70000 + b"\r\n", 431),
    lines("a name of 70,000 bytes", b"X" * 70000 + b": a\r\n", 431),
    lines("70,000 bytes over 80 fields", b"".join(b"X%d: " % i + b"a" * 880 + b"\r\n" for i in range(80)), 431),
    lines("101 fields", b"".join(b"X%d: a\r\n" % i for i in range(100)), 431),
    lines("5000 fields", b"".join(b"X%d: a\r\n" % i for i in range(5000)), 431),
    lines("20,000 empty values", b"X:\r\n" * 20000, 431),
    forward("100 fields", get_with(b"".join(b"X%d: a\r\n" % i for i in range(99))), Want(headers={"x98": "a"})),
    forward("a field line of 30,000 bytes", get_with(b"X: " + b"a" * 30000 + b"\r\n"), Want(headers={"x": "a" * 30000})),

    forward("a tab inside a value", get_with(b"X: a\tb\r\n"), Want(headers={"x": "a\tb"})),
    forward("spaces around a value", get_with(b"X: \t a b \t \r\n"), Want(headers={"x": "a b"})),
    forward("an empty value", get_with(b"X:\r\nY: \r\n"), Want(headers={"x": "", "y": ""})),
    forward("bytes past 127 in a value", get_with(b"X: caf\xc3\xa9 \xff\x80\r\n"), Want(headers={"x": "caf\xc3\xa9 \xff\x80"})),
    forward("colons in a value", get_with(b"X: a:b: c\r\n"), Want(headers={"x": "a:b: c"})),
    forward("every token character in a name", get_with(b"!#$%&'*+-.^`|~09AZaz: a\r\n"),
            Want(headers={"!#$%&'*+-.^`|~09AZaz": "a"})),
    forward("repeated fields keep their order", get_with(b"X: 1\r\nY: 2\r\nx: 3\r\nX: 4\r\n"),
            Want(headers={"x": ["1", "3", "4"], "y": "2"})),
    either("two Cookie fields keep their order", get_with(b"Cookie: a=1\r\nCookie: b=2\r\n"),
           forwarded(Want(headers={"cookie": ["a=1", "b=2"]})), forwarded(Want(headers={"cookie": "a=1; b=2"}))),
    forward("an underscore in a name drops the field", get_with(b"X_Forwarded_Proto: https\r\nX: 1\r\n"),
            Want(headers={"x": "1"}, absent=("x_forwarded_proto",))),
    forward("a name of underscores is dropped", get_with(b"___: a\r\n"), Want(absent=("___",))),
    forward("a Host with an underscore is none", get_with(b"Host_: evil\r\n"), Want(headers={"host": "test.example"})),
    forward("authorization goes through", get_with(b"Authorization: Basic YTpi\r\n"), Want(headers={"authorization": "Basic YTpi"})),
    forward("range and conditions go through", get_with(b'Range: bytes=0-1\r\nIf-None-Match: "x"\r\n'),
            Want(headers={"range": "bytes=0-1", "if-none-match": '"x"'})),
    forward("accept-encoding goes through", get_with(b"Accept-Encoding: gzip, br;q=0.5\r\n"),
            Want(headers={"accept-encoding": "gzip, br;q=0.5"})),

    *[lines(f"{_printable(byte)} in a name", b"X" + bytes([byte]) + b"Y: a\r\n") for byte in BAD_NAME_BYTES if byte != ord(":")],
    *[lines(f"{byte:#04x} in a value", b"X: a" + bytes([byte]) + b"b\r\n") for byte in CONTROLS],
    *[lines(f"{byte:#04x} as a value", b"X: " + bytes([byte]) + b"\r\n") for byte in (0x01, 0x0B, 0x0C, 0x1F, 0x7F)],
    cut("half a head, then the client ends", b"GET / HTTP/1.1\r\nHost: a", 400, 408, then="half_close"),
]
