"""RFC 9113 §4, §6: sizes, flags, streams and values of frames."""
from support.h2 import (COMPRESSION_ERROR, DATA, ENABLE_CONNECT_PROTOCOL, ENABLE_PUSH, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GET, GOAWAY,
                        HEADER_TABLE_SIZE, HEADERS, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE,
                        MAX_WINDOW, PADDED, PING, POST, PREFACE, PRIORITY, PROTOCOL_ERROR, PUSH_PROMISE, RST_STREAM, SETTINGS,
                        WINDOW_UPDATE, WITH_PRIORITY, block, continuation, data, frame, goaway, headers, ping, priority, request, reset,
                        settings, window)
from support.h2_corpus import Want, answered, case, closed, served, until_answered, until_pong, until_settings
from support.h2_corpus import goaway as ended
from support.h2_corpus import reset as broken

SIZE = ended(FRAME_SIZE_ERROR)
RULE = ended(PROTOCOL_ERROR)
ONE = served(Want())
LONG = [("x-long", "l" * 9000)]


def posted(body):
    return served(Want("POST", "/", body))


def unknown(kind, stream=0, payload=b"", flags=0):
    return frame(kind, flags, stream, payload)


SIZES = [
    case("DATA of 16385", headers(1, POST, end=False), frame(DATA, 1, 1, bytes(16385)),
         wants=[ended(FRAME_SIZE_ERROR, requests=None), broken(FRAME_SIZE_ERROR, requests=None)]),
    case("DATA of 16384", headers(1, POST, end=False), data(1, b"d" * 16384, end=True), wants=posted(b"d" * 16384)),
    case("HEADERS of 16385", headers(1, block(request(path="/big")) + bytes(16385)), wants=SIZE),
    case("a frame that announces 16 MiB", frame(DATA, 0, 1, b"x", length=(1 << 24) - 1), wants=[SIZE, RULE]),
    case("an unknown frame of 16385", unknown(0xEE, 0, bytes(16385)), wants=SIZE),
    case("CONTINUATION of 16385", headers(1, block(GET), end_headers=False), continuation(1, bytes(16385)),
         wants=ended(FRAME_SIZE_ERROR, COMPRESSION_ERROR)),
    case("SETTINGS of 1", frame(SETTINGS, 0, 0, b"x"), wants=SIZE),
    case("SETTINGS of 5", frame(SETTINGS, 0, 0, bytes(5)), wants=SIZE),
    case("SETTINGS of 7", frame(SETTINGS, 0, 0, bytes(7)), wants=SIZE),
    case("SETTINGS of 16384", frame(SETTINGS, 0, 0, bytes(16384)), wants=SIZE),
    case("SETTINGS ACK of 6", frame(SETTINGS, 1, 0, bytes(6)), wants=SIZE),
    case("SETTINGS ACK of 1", frame(SETTINGS, 1, 0, b"x"), wants=SIZE),
    case("PING of 0", frame(PING, 0, 0), wants=SIZE),
    case("PING of 7", frame(PING, 0, 0, bytes(7)), wants=SIZE),
    case("PING of 9", frame(PING, 0, 0, bytes(9)), wants=SIZE),
    case("PING ACK of 4", frame(PING, 1, 0, bytes(4)), wants=SIZE),
    case("WINDOW_UPDATE of 0", frame(WINDOW_UPDATE, 0, 0), wants=SIZE),
    case("WINDOW_UPDATE of 3", frame(WINDOW_UPDATE, 0, 0, bytes(3)), wants=SIZE),
    case("WINDOW_UPDATE of 5", frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1\0"), wants=SIZE),
    case("WINDOW_UPDATE of 8 on a stream", headers(1, POST, end=False), frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1" * 2),
         wants=ended(FRAME_SIZE_ERROR, requests=None)),
    case("PRIORITY of 4", headers(1, POST, end=False), frame(PRIORITY, 0, 1, bytes(4)),
         wants=[broken(FRAME_SIZE_ERROR, requests=None), ended(FRAME_SIZE_ERROR, requests=None)]),
    case("PRIORITY of 6", headers(1, POST, end=False), frame(PRIORITY, 0, 1, bytes(6)),
         wants=[broken(FRAME_SIZE_ERROR, requests=None), ended(FRAME_SIZE_ERROR, requests=None)]),
    case("RST_STREAM of 0", headers(1, POST, end=False), frame(RST_STREAM, 0, 1), wants=ended(FRAME_SIZE_ERROR, requests=None)),
    case("RST_STREAM of 3", headers(1, POST, end=False), frame(RST_STREAM, 0, 1, bytes(3)),
         wants=ended(FRAME_SIZE_ERROR, requests=None)),
    case("RST_STREAM of 5", headers(1, POST, end=False), frame(RST_STREAM, 0, 1, bytes(5)),
         wants=ended(FRAME_SIZE_ERROR, requests=None)),
    case("GOAWAY of 0", frame(GOAWAY, 0, 0), wants=SIZE),
    case("GOAWAY of 7", frame(GOAWAY, 0, 0, bytes(7)), wants=SIZE),
    case("HEADERS that are to begin with a priority and have 4 bytes", frame(HEADERS, 0x5 | WITH_PRIORITY, 1, bytes(4)),
         wants=[SIZE, RULE]),
    case("HEADERS that are to be padded and have nothing", frame(HEADERS, 0x5 | PADDED, 1), wants=[SIZE, RULE]),
    case("HEADERS with nothing", frame(HEADERS, 0x5, 1), wants=[broken(PROTOCOL_ERROR), answered(400)]),
    case("DATA that is to be padded and has nothing", headers(1, POST, end=False), frame(DATA, 0x1 | PADDED, 1),
         wants=[ended(FRAME_SIZE_ERROR, PROTOCOL_ERROR, requests=None)]),
]

PADDING = [
    case("HEADERS with 255 of padding", headers(1, GET, pad=255), wants=ONE),
    case("HEADERS with 0 of padding", headers(1, GET, pad=0), wants=ONE),
    case("HEADERS with padding and priority", headers(1, GET, pad=7, priority=(0, 200)), wants=ONE),
    case("HEADERS of padding alone, one too many", frame(HEADERS, 0x5 | PADDED, 1, bytes([5]) + bytes(4)), wants=[RULE, SIZE]),
    case("HEADERS with more padding than frame", frame(HEADERS, 0x5 | PADDED, 1, bytes([255]) + block(GET)), wants=[RULE, SIZE]),
    case("HEADERS whose padding reaches into the priority",
         frame(HEADERS, 0x5 | PADDED | WITH_PRIORITY, 1, bytes([4]) + bytes(5) + bytes(3)), wants=[RULE, SIZE]),
    case("DATA with padding", headers(1, POST, end=False), data(1, b"body", end=True, pad=100), wants=posted(b"body")),
    case("DATA of padding alone", headers(1, POST, end=False), data(1, b"", pad=200), data(1, b"b", end=True, pad=0), wants=posted(b"b")),
    case("DATA whose padding is as long as the frame", headers(1, POST, end=False), frame(DATA, 0x1 | PADDED, 1, bytes([4]) + bytes(4)[:3]),
         wants=ended(PROTOCOL_ERROR, requests=None)),
    case("DATA with more padding than frame", headers(1, POST, end=False), frame(DATA, 0x1 | PADDED, 1, bytes([200]) + b"body"),
         wants=ended(PROTOCOL_ERROR, requests=None)),
]

FLAGS_AND_TYPES = [
    case("an unknown frame on stream 0", unknown(0xFE), headers(1, GET), wants=ONE),
    case("an unknown frame with every flag", unknown(0xFE, 0, b"payload", 0xFF), headers(1, GET), wants=ONE),
    case("an unknown frame of 16384", unknown(0x5F, 0, bytes(16384)), headers(1, GET), wants=ONE),
    case("an unknown frame on a stream that is idle", unknown(0xFE, 7, b"x"), headers(1, GET), wants=ONE),
    case("an unknown frame on a stream that is open", headers(1, POST, end=False), unknown(0xFE, 1, b"x"), data(1, b"b", end=True),
         wants=posted(b"b")),
    case("an unknown frame on a stream that is closed", headers(1, GET), until_answered(), unknown(0xFE, 1, b"x"), wants=ONE),
    case("ALTSVC and ORIGIN of a client", frame(0xA, 0, 0, b"\0\1a" + b"h2=:1"), frame(0xC, 0, 0, b"\0\1a"), headers(1, GET), wants=ONE),
    case("PRIORITY_UPDATE (RFC 9218)", frame(0x10, 0, 0, b"\0\0\0\1u=1"), headers(1, [*GET, ("priority", "u=1")]), wants=ONE),
    case("HEADERS with flags that are not defined", headers(1, GET, flags=0xD2), wants=ONE),
    case("DATA with flags that are not defined", headers(1, POST, end=False), data(1, b"b", end=True, flags=0xF6), wants=posted(b"b")),
    case("SETTINGS with flags that are not defined", settings((MAX_FRAME_SIZE, 20000), flags=0xFE), headers(1, GET), wants=ONE),
    case("PING with flags that are not defined", ping(flags=0xFE), headers(1, GET), wants=ONE),
    case("RST_STREAM with flags", headers(1, request(path="/stall")), frame(RST_STREAM, 0xFF, 1, b"\0\0\0\x08"), headers(3, GET),
         wants=answered(200, stream=3, requests=None)),
    case("WINDOW_UPDATE with flags", frame(WINDOW_UPDATE, 0xFF, 0, b"\0\0\0\1"), headers(1, GET), wants=ONE),
    case("CONTINUATION with every other flag", headers(1, block(GET)[:5], end_headers=False), continuation(1, block(GET)[5:], flags=0xFB),
         wants=ONE),
    case("the bit before the stream's number", frame(HEADERS, 0x5, 1, block(GET), reserved=1), wants=ONE),
    case("the bit before an increment", headers(1, GET), frame(WINDOW_UPDATE, 0, 0, b"\x80\0\0\1"), wants=ONE),
    case("PUSH_PROMISE of a client", frame(PUSH_PROMISE, 0x4, 1, b"\0\0\0\2" + block(GET)), wants=RULE),
    case("PUSH_PROMISE on an open stream", headers(1, POST, end=False), frame(PUSH_PROMISE, 0x4, 1, b"\0\0\0\2" + block(GET)),
         wants=ended(PROTOCOL_ERROR, requests=None)),
]

STREAM_NUMBERS = [
    case("DATA on stream 0", data(0, b"x"), wants=RULE),
    case("HEADERS on stream 0", headers(0, GET), wants=RULE),
    case("PRIORITY on stream 0", priority(0), wants=RULE),
    case("RST_STREAM on stream 0", reset(0), wants=RULE),
    case("CONTINUATION on stream 0", continuation(0, block(GET)), wants=RULE),
    case("SETTINGS on a stream", settings(stream=1), wants=RULE),
    case("SETTINGS ACK on a stream", settings(ack=True, stream=1), wants=RULE),
    case("PING on a stream", ping(stream=1), wants=RULE),
    case("GOAWAY on a stream", goaway(stream=1), wants=RULE),
]

SETTINGS_VALUES = [
    case("ENABLE_PUSH 2", settings((ENABLE_PUSH, 2)), wants=RULE),
    case("ENABLE_PUSH 1 and 0", settings((ENABLE_PUSH, 1)), settings((ENABLE_PUSH, 0)), headers(1, GET), wants=ONE),
    case("INITIAL_WINDOW_SIZE 2^31", settings((INITIAL_WINDOW_SIZE, 1 << 31)), wants=ended(FLOW_CONTROL_ERROR)),
    case("INITIAL_WINDOW_SIZE 2^32-1", settings((INITIAL_WINDOW_SIZE, (1 << 32) - 1)), wants=ended(FLOW_CONTROL_ERROR)),
    case("INITIAL_WINDOW_SIZE 2^31-1", settings((INITIAL_WINDOW_SIZE, MAX_WINDOW)), headers(1, GET), wants=ONE),
    case("MAX_FRAME_SIZE 16383", settings((MAX_FRAME_SIZE, 16383)), wants=RULE),
    case("MAX_FRAME_SIZE 0", settings((MAX_FRAME_SIZE, 0)), wants=RULE),
    case("MAX_FRAME_SIZE 2^24", settings((MAX_FRAME_SIZE, 1 << 24)), wants=RULE),
    case("MAX_FRAME_SIZE 2^24-1", settings((MAX_FRAME_SIZE, (1 << 24) - 1)), headers(1, GET), wants=ONE),
    case("ENABLE_CONNECT_PROTOCOL 2 of a client", settings((ENABLE_CONNECT_PROTOCOL, 2)), headers(1, GET), wants=[ONE, RULE]),
    case("HEADER_TABLE_SIZE 0", settings((HEADER_TABLE_SIZE, 0)), until_settings, headers(1, GET), headers(3, GET), wants=served(Want(), Want())),
    case("HEADER_TABLE_SIZE 2^32-1", settings((HEADER_TABLE_SIZE, (1 << 32) - 1)), headers(1, GET), wants=ONE),
    case("HEADER_TABLE_SIZE down and up again", settings((HEADER_TABLE_SIZE, 0), (HEADER_TABLE_SIZE, 4096)), until_settings, headers(1, GET),
         wants=ONE),
    case("MAX_CONCURRENT_STREAMS 0 of a client", settings((MAX_CONCURRENT_STREAMS, 0)), headers(1, GET), wants=ONE),
    case("MAX_HEADER_LIST_SIZE that is ample", settings((MAX_HEADER_LIST_SIZE, 10000)), headers(1, GET), wants=ONE),
    case("settings that nobody knows", settings((0x0, 1), (0xA, 1), (0xAAAA, 1), (0xFFFF, (1 << 32) - 1)), headers(1, GET), wants=ONE),
    case("a setting three times: the last holds", settings((MAX_FRAME_SIZE, 20000), (MAX_FRAME_SIZE, 30000), (MAX_FRAME_SIZE, 16384)),
         headers(1, GET), wants=ONE),
    case("a good setting before a bad one", settings((MAX_FRAME_SIZE, 20000), (ENABLE_PUSH, 3)), wants=RULE),
    case("no settings at all, often", settings() * 10, headers(1, GET), wants=ONE),
    case("an ACK that nobody waits for", until_settings, settings(ack=True), headers(1, GET), until_pong,
         wants=[ended(PROTOCOL_ERROR, requests=None), ONE]),
    case("a PING ACK that nobody waits for", ping(ack=True), headers(1, GET), wants=ONE),
]

WINDOWS = [
    case("an increment of 0 for the connection", window(0, 0), wants=RULE),
    case("an increment of 0 for a stream", headers(1, POST, end=False), window(1, 0),
         wants=[broken(PROTOCOL_ERROR, requests=None), ended(PROTOCOL_ERROR, requests=None)]),
    case("an increment of 0 with the bit before it", frame(WINDOW_UPDATE, 0, 0, b"\x80\0\0\0"), wants=RULE),
    case("the connection's window beyond 2^31-1", window(0, MAX_WINDOW), wants=ended(FLOW_CONTROL_ERROR)),
    case("the connection's window beyond 2^31-1 in steps", window(0, 1 << 30) + window(0, 1 << 30), wants=ended(FLOW_CONTROL_ERROR)),
    case("the connection's window at 2^31-1", window(0, MAX_WINDOW - 65535), headers(1, GET), wants=ONE),
    case("a stream's window beyond 2^31-1", headers(1, POST, end=False), window(1, MAX_WINDOW),
         wants=[broken(FLOW_CONTROL_ERROR, requests=None), ended(FLOW_CONTROL_ERROR, requests=None)]),
    case("a stream's window beyond 2^31-1 by SETTINGS", headers(1, POST, end=False), window(1, MAX_WINDOW - 65535),
         settings((INITIAL_WINDOW_SIZE, 65536)),
         wants=[ended(FLOW_CONTROL_ERROR, requests=None), broken(FLOW_CONTROL_ERROR, requests=None)]),
    case("WINDOW_UPDATE for a stream that is idle", window(1, 1), wants=RULE),
    case("WINDOW_UPDATE for a stream that has ended", headers(1, request(path="/stall")), window(1, 100), headers(3, GET),
         wants=answered(200, stream=3, requests=None)),
    case("WINDOW_UPDATE for a stream that is closed", headers(1, GET), until_answered(), window(1, 100), wants=ONE),
]

PREFACES = [
    case("preface, SETTINGS and a request in one piece", PREFACE + settings() + headers(1, GET), greets=False, wants=ONE),
    case("no SETTINGS after the preface", PREFACE + headers(1, GET), greets=False, wants=[RULE, closed()]),
    case("PING after the preface", PREFACE + ping(), greets=False, wants=[RULE, closed()]),
    case("an ACK after the preface", PREFACE + settings(ack=True), greets=False, wants=[RULE, closed()]),
    case("an unknown frame after the preface", PREFACE + unknown(0xFE) + settings(), greets=False, wants=[RULE, closed()]),
    case("the preface twice", PREFACE, wants=[SIZE, RULE]),
    case("the preface after a request", headers(1, GET), until_answered(), PREFACE, wants=[ended(FRAME_SIZE_ERROR, requests=[Want()])]),
]

GOAWAYS = [
    case("GOAWAY while a request is under way", headers(1, POST, end=False), goaway(0), data(1, b"b", end=True),
         wants=served(Want("POST", "/", b"b"), ends=True)),
    case("GOAWAY with a code that nobody knows, and words", headers(1, POST, end=False), goaway(0, 0xABCD, b"words" * 100),
         data(1, b"b", end=True), wants=[served(Want("POST", "/", b"b"), ends=True), closed()]),
]

CASES = SIZES + PADDING + FLAGS_AND_TYPES + STREAM_NUMBERS + SETTINGS_VALUES + WINDOWS + PREFACES + GOAWAYS
