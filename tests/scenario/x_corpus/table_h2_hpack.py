"""RFC 7541: how the fields are written, what cannot be read, and that both ends stay in step."""
from support.h2 import (COMPRESSION_ERROR, ENHANCE_YOUR_CALM, GET, PROTOCOL_ERROR, block, continuation, data, headers, indexed, integer,
                        literal, request, reset, size_update, string)
from support.h2_corpus import Want, answered, case, goaway, served, until_answered, until_pong
from support.h2_corpus import reset as broken

FAULT = goaway(COMPRESSION_ERROR)
ONE = served(Want())
GET_INDEXED = indexed(2) + indexed(6) + indexed(4) + literal(1, "test.example")  # :method :scheme :path :authority
KEPT = literal("x-kept", "value", kind="keep")
NEWEST = indexed(62)
HAS_KEPT = Want(headers={"x-kept": "value"})


def read(name, *pieces, wants=None):
    return case(name, headers(1, b"".join(pieces)), wants=FAULT if wants is None else wants)


def behind(name, *pieces, wants=None):
    """Behind the fields of a good request."""
    return read(name, GET_INDEXED, *pieces, wants=wants)


UNREADABLE = [
    behind("index 0", b"\x80"),
    behind("an index behind the static table", indexed(62)),
    behind("an index of 70 when one is kept", KEPT, indexed(70)),
    behind("an index of 2^31", integer(1 << 31, 7, 0x80)),
    behind("an index of 2^64", integer(1 << 64, 7, 0x80)),
    behind("an integer that does not end", b"\xff" + b"\xff" * 200),
    behind("an integer of many zeros", b"\xff" + b"\x80" * 200 + b"\x00"),
    behind("an integer that is cut", b"\xff\x80"),
    behind("a literal without a name", b"\x00"),
    behind("a name that is cut", b"\x00\x05abc"),
    behind("a literal without a value", b"\x00\x03abc"),
    behind("a value that is cut", b"\x00\x03abc\x09v"),
    behind("a value of 2^32", b"\x00\x03abc" + integer(1 << 32, 7) + b"v"),
    behind("a literal with the name of an index that is not there", literal(99, "v")),
    behind("Huffman with EOS", b"\x00\x01a" + integer(4, 7, 0x80) + b"\xff\xff\xff\xff"),
    behind("Huffman with more than 7 bits of padding", b"\x00\x01a" + integer(2, 7, 0x80) + b"\x1f\xff"),
    behind("Huffman padded with zeros", b"\x00\x01a" + integer(1, 7, 0x80) + b"\x18"),
    behind("a size update at the end", size_update(100)),
    read("a size update in the middle", indexed(2), size_update(100), indexed(6), indexed(4), literal(1, "test.example")),
    read("a size update beyond the limit", size_update(4097), GET_INDEXED),
    read("a size update of 2^31", integer(1 << 31, 5, 0x20), GET_INDEXED),
    read("a size update that does not end", b"\x3f" + b"\xff" * 50, GET_INDEXED),
    case("a head that is cut at its end", headers(1, block(GET)[:-1]), wants=FAULT),
    case("trailers that cannot be read", headers(1, request("POST"), end=False), data(1, b"b"), headers(1, b"\x80"),
         wants=goaway(COMPRESSION_ERROR, requests=None)),
    case("a head that cannot be read, on a stream that is closed", headers(1, GET), until_answered(), headers(1, b"\x80"),
         wants=goaway(COMPRESSION_ERROR, 1, 5, requests=[Want()])),
]

READABLE = [
    read("indexed fields", GET_INDEXED, wants=ONE),
    read("everything in Huffman", *[literal(name, value, huffman=True) for name, value in GET], wants=ONE),
    read("everything never indexed", *[literal(name, value, kind="never") for name, value in GET], wants=ONE),
    read("everything kept", *[literal(name, value, kind="keep") for name, value in GET], wants=ONE),
    read("names from the static table", literal(2, "GET"), literal(6, "http"), literal(4, "/"), literal(1, "test.example"), wants=ONE),
    read("an index in more bytes than it needs", b"\x82" + b"\x86" + b"\x84" + literal(1, "test.example") + b"\x0f\x80\x00" + string("v"),
         wants=[served(Want(headers={"Accept-Charset": "v"})), FAULT]),
    read("a size update to 0", size_update(0), GET_INDEXED, wants=ONE),
    read("two size updates", size_update(0), size_update(4096), GET_INDEXED, wants=ONE),
    read("a value that is empty in Huffman", GET_INDEXED, b"\x00\x01a\x80", wants=served(Want(headers={"a": ""}))),
    behind("an entry larger than the table empties it", KEPT, literal("x-big", "v" * 4100, kind="keep"), NEWEST),
    behind("a size update to 0 would have emptied it", KEPT, NEWEST, wants=served(Want(headers={"x-kept": ["value", "value"]}))),
]


def in_step(name, *first, wants):
    """What `first` keeps in the table is there for the next stream."""
    return case(name, *first, headers(3, GET_INDEXED + NEWEST), wants=wants)


IN_STEP = [
    in_step("kept by a request", headers(1, GET_INDEXED + KEPT), wants=served(HAS_KEPT, HAS_KEPT)),
    in_step("kept in CONTINUATION", headers(1, GET_INDEXED, end_headers=False), continuation(1, KEPT), wants=served(HAS_KEPT, HAS_KEPT)),
    in_step("kept by a malformed request", headers(1, block(request(path=None)) + KEPT), wants=answered(200, stream=3, requests=[HAS_KEPT])),
    in_step("kept by a request with an upper case name", headers(1, GET_INDEXED + literal("Bad", "v") + KEPT),
            wants=answered(200, stream=3, requests=[HAS_KEPT])),
    in_step("kept behind a value with NUL", headers(1, GET_INDEXED + literal("bad", "\0") + KEPT),
            wants=answered(200, stream=3, requests=[HAS_KEPT])),
    in_step("kept by a request with too many fields", headers(1, GET_INDEXED + block([(f"x-{i}", "v") for i in range(300)]) + KEPT),
            wants=answered(200, stream=3, requests=[HAS_KEPT])),
    in_step("kept by a request with a path that is refused", headers(1, block(request(path="/../x")) + KEPT),
            wants=answered(200, stream=3, requests=[HAS_KEPT])),
    in_step("kept by a request too large", headers(1, GET_INDEXED + literal("x-a", "v" * 16000), end_headers=False),
            *[continuation(1, literal("x-a", "v" * 16000), end=False)] * 4, continuation(1, KEPT),
            wants=[answered(200, stream=3, requests=[HAS_KEPT])]),
    in_step("kept by trailers", headers(1, request("POST"), end=False), data(1, b"b"), headers(1, KEPT),
            wants=served(Want("POST", "/", b"b"), HAS_KEPT)),
    in_step("kept by trailers on a stream that was reset", headers(1, request("POST", "/stall"), end=False), until_pong, reset(1),
            headers(1, KEPT), wants=[answered(200, stream=3, requests=None), goaway(1, 5, requests=None)]),
    in_step("the newest comes first", headers(1, GET_INDEXED + literal("x-old", "old", kind="keep") + KEPT), wants=served(HAS_KEPT, HAS_KEPT)),
    case("an entry that was pushed out", headers(1, GET_INDEXED + KEPT), until_answered(),
         headers(3, GET_INDEXED + literal("x-big", "v" * 4050, kind="keep")), until_answered(3), headers(5, GET_INDEXED + indexed(63)),
         wants=goaway(COMPRESSION_ERROR, requests=[HAS_KEPT, Want()])),
    case("an entry after a size update to 0", headers(1, GET_INDEXED + KEPT), until_answered(), headers(3, size_update(0) + GET_INDEXED + NEWEST),
         wants=goaway(COMPRESSION_ERROR, requests=[HAS_KEPT])),
    case("a bomb: 4000 bytes, many times", headers(1, GET_INDEXED + literal("x-b", "v" * 4000, kind="keep") + NEWEST * 8000),
         wants=[answered(431), broken(PROTOCOL_ERROR, ENHANCE_YOUR_CALM), goaway(ENHANCE_YOUR_CALM)]),
]

CASES = UNREADABLE + READABLE + IN_STEP
