"""RFC 9113 §5.1, §6.10, §8.1: what may come on a stream in which state, and in which order."""
from support.h2 import (ENHANCE_YOUR_CALM, GET, POST, PROTOCOL_ERROR, STREAM_CLOSED, block, continuation, data, frame, headers, ping,
                        priority, request, reset, settings, window)
from support.h2_corpus import Want, answered, case, cut, goaway, served, until_answered, until_pong
from support.h2_corpus import reset as broken

RULE = goaway(PROTOCOL_ERROR)
ONE = served(Want())
BLOCK = block(GET)
TAIL = [("x-checksum", "1")]


def posted(body, **more):
    return served(Want("POST", "/", body, **more))


def after_its_end(requests=()):
    """RFC 9113 §5.1: STREAM_CLOSED, of the stream or of the connection; or the number is one that was used (§5.1.1).
    Rows with ONE beside it: nghttp2 passes over heads on closed streams, which may be trailers that crossed its reset."""
    return [goaway(STREAM_CLOSED, PROTOCOL_ERROR, requests=requests), broken(STREAM_CLOSED, requests=requests)]


NUMBERS = [
    case("HEADERS on stream 2", headers(2, GET), wants=RULE),
    case("HEADERS on stream 2 beside a good one", headers(1, GET), until_answered(), headers(2, GET), wants=goaway(PROTOCOL_ERROR, requests=[Want()])),
    case("numbers that grow in steps", headers(1, GET), headers(9, request(path="/9")), headers(501, request(path="/501")), until_answered(9),
         until_answered(501), wants=answered(200, requests=[Want(), Want(target="/9"), Want(target="/501")])),
    case("a number lower than the last", headers(5, GET), until_answered(5), headers(3, GET), until_pong,
         wants=[goaway(PROTOCOL_ERROR, STREAM_CLOSED, requests=[Want()]), answered(200, stream=5, requests=[Want()])]),
    case("the same number again", headers(1, GET), until_answered(), headers(1, GET), until_pong,
         wants=[*after_its_end([Want()]), ONE]),
    case("the same number again at once", headers(1, request(path="/stall")), headers(1, GET), wants=after_its_end(None)),
    case("the last number there is", headers((1 << 31) - 1, GET),
         wants=answered(200, stream=(1 << 31) - 1, requests=[Want()], ends=True)),
    case("stream 3 while 1 was never used", headers(3, GET), until_answered(3), wants=answered(200, stream=3, requests=[Want()])),
]

STATES = [
    case("DATA on an idle stream", data(1, b"x"), wants=RULE),
    case("DATA on an idle stream of even number", data(2, b"x"), wants=RULE),
    case("RST_STREAM on an idle stream", reset(1), wants=RULE),
    case("CONTINUATION on an idle stream", continuation(1, BLOCK), wants=RULE),
    case("PRIORITY on an idle stream", priority(7), headers(1, GET), wants=ONE),
    case("PRIORITY on an idle stream of even number", priority(4), headers(1, GET), wants=ONE),
    case("PRIORITY on a closed stream", headers(1, GET), until_answered(), priority(1), wants=ONE),
    case("PRIORITY on a stream of its own", headers(1, request(path="/stall")), priority(1, depends=1), headers(3, GET), until_pong,
         wants=[answered(200, stream=3, requests=None), broken(PROTOCOL_ERROR, requests=None), goaway(PROTOCOL_ERROR, requests=None)]),
    case("HEADERS that depend on a stream that is not there", headers(1, GET, priority=(99, 10)), wants=ONE),
    case("HEADERS that depend on themselves", headers(1, GET, priority=(1, 10)), wants=[ONE, broken(PROTOCOL_ERROR), RULE]),
    case("DATA after END_STREAM", headers(1, request(path="/stall")), data(1, b"x"), wants=after_its_end(None)),
    case("DATA after the DATA with END_STREAM", headers(1, request("POST", "/stall"), end=False), data(1, b"a", end=True), data(1, b"b", end=True),
         wants=after_its_end(None)),
    case("HEADERS after END_STREAM", headers(1, request(path="/stall")), headers(1, TAIL), wants=after_its_end(None)),
    case("DATA on a closed stream", headers(1, GET), until_answered(), data(1, b"x"), until_pong, wants=[*after_its_end([Want()]), ONE]),
    case("HEADERS on a closed stream", headers(1, GET), until_answered(), headers(1, TAIL), until_pong,
         wants=[*after_its_end([Want()]), ONE]),
    case("RST_STREAM on a closed stream", headers(1, GET), until_answered(), reset(1), until_pong, wants=ONE),
    case("RST_STREAM twice", headers(1, request(path="/stall")), reset(1), reset(1), headers(3, GET), until_pong,
         wants=answered(200, stream=3, requests=None)),
    case("RST_STREAM with a code that nobody knows", headers(1, request(path="/stall")), reset(1, 0xABCDEF), headers(3, GET),
         wants=answered(200, stream=3, requests=None)),
    case("DATA after our own RST_STREAM", headers(1, request("POST", "/stall"), end=False), reset(1), data(1, b"x"), headers(3, GET), until_pong,
         wants=[answered(200, stream=3, requests=None), *after_its_end(None)]),
    case("HEADERS after our own RST_STREAM", headers(1, request("POST", "/stall"), end=False), reset(1), headers(1, TAIL), headers(3, GET), until_pong,
         wants=[answered(200, stream=3, requests=None), *after_its_end(None)]),
    case("WINDOW_UPDATE after our own RST_STREAM", headers(1, request("POST", "/stall"), end=False), reset(1), window(1, 9), headers(3, GET),
         wants=answered(200, stream=3, requests=None)),
    case("RST_STREAM before the body is whole", headers(1, [*POST, ("content-length", "10")], end=False), data(1, b"half"), reset(1), headers(3, GET),
         wants=answered(200, stream=3, requests=None)),
]

BLOCKS = [
    case("a head in two frames", headers(1, BLOCK[:9], end_headers=False), continuation(1, BLOCK[9:]), wants=ONE),
    case("a head byte by byte", headers(1, BLOCK[:1], end_headers=False),
         *[continuation(1, BLOCK[i:i + 1], end=i == len(BLOCK) - 1) for i in range(1, len(BLOCK))], wants=[ONE, goaway(ENHANCE_YOUR_CALM)]),
    case("a head in nine frames", headers(1, BLOCK[:1], end_headers=False),
         *[continuation(1, BLOCK[i:i + 1], end=False) for i in range(1, 8)], continuation(1, BLOCK[8:]), wants=ONE),
    case("empty CONTINUATIONs", headers(1, BLOCK, end_headers=False), continuation(1, b"", end=False) * 3, continuation(1, b""), wants=ONE),
    case("a head that begins in a CONTINUATION", headers(1, b"", end_headers=False), continuation(1, BLOCK), wants=ONE),
    case("END_STREAM is the HEADERS frame's", headers(1, BLOCK[:9], end=False, end_headers=False), continuation(1, BLOCK[9:], flags=1),
         data(1, b"b", end=True), wants=served(Want(body=b"b"))),
    case("padding and priority of HEADERS that go on", headers(1, BLOCK[:9], end_headers=False, pad=20, priority=(0, 1)),
         continuation(1, BLOCK[9:]), wants=ONE),
    case("trailers in two frames", headers(1, POST, end=False), data(1, b"b"), headers(1, block(TAIL)[:3], end_headers=False),
         continuation(1, block(TAIL)[3:]), wants=posted(b"b")),
    case("CONTINUATION after END_HEADERS", headers(1, POST, end=False), continuation(1, BLOCK), wants=goaway(PROTOCOL_ERROR, requests=None)),
    case("CONTINUATION after DATA", headers(1, POST, end=False), data(1, b"x"), continuation(1, block(TAIL)),
         wants=goaway(PROTOCOL_ERROR, requests=None)),
    case("CONTINUATION of another stream", headers(1, BLOCK[:9], end_headers=False), continuation(3, BLOCK[9:]), wants=RULE),
    case("CONTINUATION of stream 0", headers(1, BLOCK[:9], end_headers=False), continuation(0, BLOCK[9:]), wants=RULE),
] + [
    case(f"{name} inside a head", headers(1, BLOCK[:9], end_headers=False), octets, continuation(1, BLOCK[9:]), wants=RULE)
    for name, octets in (("DATA", data(1, b"x")), ("HEADERS", headers(3, GET)), ("HEADERS of the same stream", headers(1, GET)),
                         ("PRIORITY", priority(1)), ("RST_STREAM", reset(1)), ("SETTINGS", settings()), ("SETTINGS ACK", settings(ack=True)),
                         ("PING", ping()), ("GOAWAY", frame(7, 0, 0, bytes(8))), ("WINDOW_UPDATE", window(0, 1)),
                         ("PUSH_PROMISE", frame(5, 4, 1, b"\0\0\0\2")), ("an unknown frame", frame(0xEE, 0, 0, b"x")))
]

BODIES = [
    case("a body in pieces", headers(1, POST, end=False), data(1, b"a"), data(1, b"b"), data(1, b"c", end=True), wants=posted(b"abc")),
    case("a body that ends with empty DATA", headers(1, POST, end=False), data(1, b"a"), data(1, b"", end=True), wants=posted(b"a")),
    case("a body of one empty DATA", headers(1, POST, end=False), data(1, b"", end=True), wants=posted(b"")),
    case("empty DATA between", headers(1, POST, end=False), data(1, b"a"), data(1, b"") * 3, data(1, b"b", end=True), wants=posted(b"ab")),
    case("a POST without a body", headers(1, POST), wants=posted(b"")),
    case("a GET with a body", headers(1, GET, end=False), data(1, b"body", end=True), wants=served(Want(body=b"body"))),
    case("two bodies, one between the other's pieces", headers(1, POST, end=False), data(1, b"a"), headers(3, request("POST", "/3"), end=False),
         data(3, b"1"), data(1, b"b"), data(3, b"2", end=True), data(1, b"c", end=True),
         wants=served(Want("POST", "/", b"abc"), Want("POST", "/3", b"12"))),
    case("ten requests at once", b"".join(headers(1 + 2 * i, request(path=f"/{i}")) for i in range(10)),
         wants=served(*[Want(target=f"/{i}") for i in range(10)])),
    case("trailers end the body", headers(1, POST, end=False), data(1, b"b"), headers(1, TAIL), wants=posted(b"b")),
    case("trailers behind no body", headers(1, POST, end=False), headers(1, TAIL), wants=posted(b"")),
    case("trailers that go on to the server", headers(1, [*POST, ("te", "trailers")], end=False), data(1, b"b"), headers(1, TAIL),
         wants=posted(b"b", trailers=[("x-checksum", "1")])),
    case("trailers without END_STREAM", headers(1, POST, end=False), data(1, b"b"), headers(1, TAIL, end=False), wants=[cut(), RULE]),
    case("trailers, then DATA", headers(1, POST, end=False), headers(1, TAIL, end=False), data(1, b"b", end=True), wants=[cut(), goaway(PROTOCOL_ERROR, STREAM_CLOSED)]),
    case("trailers with a pseudo-field", headers(1, POST, end=False), data(1, b"b"), headers(1, [(":path", "/x"), *TAIL]), wants=cut()),
    case("trailers with :status", headers(1, POST, end=False), data(1, b"b"), headers(1, [(":status", "200")]), wants=cut()),
    case("trailers in upper case", headers(1, POST, end=False), data(1, b"b"), headers(1, [("X-Checksum", "1")]), wants=cut()),
    case("trailers with a line break", headers(1, POST, end=False), data(1, b"b"), headers(1, [("x-checksum", "1\r\nx: y")]), wants=cut()),
    case("trailers with connection", headers(1, POST, end=False), data(1, b"b"), headers(1, [("connection", "close")]), wants=cut()),
    case("trailers with transfer-encoding", headers(1, POST, end=False), data(1, b"b"), headers(1, [("transfer-encoding", "chunked")]), wants=cut()),
    case("trailers with content-length", headers(1, POST, end=False), data(1, b"b"), headers(1, [("content-length", "1")]), wants=[cut(), posted(b"b", trailers=[])]),
    case("trailers with host", headers(1, POST, end=False), data(1, b"b"), headers(1, [("host", "evil.example")]), wants=[cut(), posted(b"b", trailers=[])]),
]


CASES = NUMBERS + STATES + BLOCKS + BODIES
