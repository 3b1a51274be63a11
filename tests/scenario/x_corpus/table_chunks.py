"""Chunked bodies: sizes, line ends, extensions, trailers (RFC 9112 section 7)."""
from support.corpus import (EVIL, Want, broken, cut, either, forward, forwarded, post_chunks, post_with)

ABC = Want("POST", body=b"abc")
END = b"0\r\n\r\n"
HEX = "0123456789abcdef"


def size(name, line, *statuses):
    """A size line before `abc` that is none."""
    return cut("size " + name, post_chunks(line + b"\r\nabc\r\n" + END + EVIL), *statuses)


def good_size(name, line, body=b"abc"):
    return forward("size " + name, post_chunks(line + b"\r\n" + body + b"\r\n" + END), Want("POST", body=body))


def extension(name, text, *statuses):
    return cut("extension " + name, post_chunks(b"3" + text + b"\r\nabc\r\n" + END + EVIL), *statuses)


def good_extension(name, text):
    return forward("extension " + name, post_chunks(b"3" + text + b"\r\nabc\r\n0" + text + b"\r\n\r\n"), ABC)


def trailer(name, lines, *statuses):
    return cut("trailer " + name, post_chunks(b"3\r\nabc\r\n0\r\n" + lines + b"\r\n" + EVIL, b"TE: trailers\r\n"), *statuses)


CASES = [
    size("plus", b"+3"),
    size("minus", b"-3"),
    size("0x", b"0x3"),
    size("0X", b"0X3"),
    size("leading space", b" 3"),
    size("leading tab", b"\t3"),
    size("leading vertical tab", b"\x0b3"),
    size("leading nul", b"\x003"),
    size("nul behind", b"3\x00"),
    size("empty", b""),
    size("a letter past f", b"g"),
    size("a letter behind", b"3g"),
    size("h behind", b"3h"),
    size("underscore", b"0_3"),
    size("comma", b"3,3"),
    size("two numbers", b"3 3"),
    size("only an extension", b";a=b"),
    size("17 digits", b"00000000000000003"),
    size("17 f", b"f" * 17),
    size("2^64", b"10000000000000000"),
    size("2^64 + 3", b"10000000000000003"),
    size("40 digits", b"1" * 40),
    size("100,000 noughts", b"0" * 100000 + b"3", 400, 413, 431),
    cut("size 16 f, then nothing", post_chunks(b"f" * 16 + b"\r\nabc"), 400, 413, then="half_close"),
    size("nought behind a minus", b"-0"),
    size("0x0", b"0x0"),
    good_size("with noughts", b"0003"),
    good_size("of 16 digits", b"0000000000000003"),
    good_size("in capitals", b"A", b"0123456789"),
    good_size("in small letters", b"a", b"0123456789"),
    forward("the last chunk with many noughts", post_chunks(b"3\r\nabc\r\n000\r\n\r\n"), ABC),
    either("size with a space behind", post_chunks(b"3 \r\nabc\r\n" + END), broken(), forwarded(ABC)),
    either("size with a tab behind", post_chunks(b"3\t\r\nabc\r\n" + END), broken(), forwarded(ABC)),
    forward("two chunks", post_chunks(b"1\r\na\r\n2\r\nbc\r\n" + END), ABC),
    forward("5000 chunks of one byte", post_chunks(b"1\r\nx\r\n" * 5000 + END), Want("POST", body=b"x" * 5000)),
    forward("chunk of 100,000 bytes", post_chunks(b"186a0\r\n" + b"y" * 100000 + b"\r\n" + END), Want("POST", body=b"y" * 100000)),
    forward("chunk data of line ends", post_chunks(b"8\r\n\r\n0\r\n\r\n\n\r\n" + END), Want("POST", body=b"\r\n0\r\n\r\n\n")),

    # line ends
    cut("bare LF after the size", post_chunks(b"3\nabc\r\n" + END + EVIL)),
    cut("bare CR after the size", post_chunks(b"3\rabc\r\n" + END + EVIL)),
    cut("CR and a letter after the size", post_chunks(b"3\rXabc\r\n" + END + EVIL)),
    cut("CR CR after the size", post_chunks(b"3\r\rabc\r\n" + END + EVIL)),
    cut("LF CR after the size", post_chunks(b"3\n\rabc\r\n" + END + EVIL)),
    cut("no line end after the data", post_chunks(b"3\r\nabc" + END + EVIL)),
    cut("other bytes after the data", post_chunks(b"3\r\nabcXX" + END + EVIL)),
    cut("a byte too many", post_chunks(b"3\r\nabcd\r\n" + END + EVIL)),
    cut("a byte too few", post_chunks(b"4\r\nabc\r\n" + END + EVIL)),
    cut("bare LF after the data", post_chunks(b"3\r\nabc\n" + END + EVIL)),
    cut("bare CR after the data", post_chunks(b"3\r\nabc\r" + END + EVIL)),
    cut("LF CR after the data", post_chunks(b"3\r\nabc\n\r" + END + EVIL)),
    cut("CR and a letter after the data", post_chunks(b"3\r\nabc\rX" + END + EVIL)),
    cut("bare LF after the last size", post_chunks(b"3\r\nabc\r\n0\n\r\n" + EVIL)),
    cut("bare CR after the last size", post_chunks(b"3\r\nabc\r\n0\rX\r\n" + EVIL)),
    cut("bare LF at the very end", post_chunks(b"3\r\nabc\r\n0\r\n\n" + EVIL)),
    cut("LF LF at the very end", post_chunks(b"3\r\nabc\r\n0\n\n" + EVIL)),
    cut("CR and a letter at the very end", post_chunks(b"3\r\nabc\r\n0\r\n\rX" + EVIL)),
    cut("CR CR LF at the very end", post_chunks(b"3\r\nabc\r\n0\r\n\r\r\n" + EVIL)),
    cut("a space before the end", post_chunks(b"3\r\nabc\r\n0\r\n \r\n" + EVIL)),

    # ends that do not come
    cut("no last chunk", post_chunks(b"3\r\nabc\r\n"), then="half_close"),
    cut("the last chunk without its empty line", post_chunks(b"3\r\nabc\r\n0\r\n"), then="half_close"),
    cut("the end inside a size", post_chunks(b"3\r\nabc\r\n1"), then="half_close"),
    cut("the end inside the data", post_chunks(b"ff\r\nabc"), then="half_close"),

    # extensions: dropped when well formed, counted, and their quotes kept apart from line ends
    good_extension("name", b";a"),
    good_extension("name and value", b";a=b"),
    good_extension("two", b";a=b;c=d"),
    good_extension("quoted", b';a="b c"'),
    good_extension("quoted semicolon", b';a="b;c"'),
    good_extension("quoted quote", b';a="b\\"c"'),
    either("extension with spaces", post_chunks(b"3 ; a = b\r\nabc\r\n" + END), broken(), forwarded(ABC)),
    either("extension without name", post_chunks(b"3;\r\nabc\r\n" + END), broken(), forwarded(ABC)),
    either("extension with a value alone", post_chunks(b"3;=b\r\nabc\r\n" + END), broken(), forwarded(ABC)),
    extension("with a bare LF", b";a\nX"),
    extension("with a bare LF that ends the line", b";a\n3"),
    extension("with a bare CR", b";a\rX"),
    extension("with a nul", b";a\x00"),
    extension("with a control character", b";a=\x01"),
    extension("with a quote left open", b';a="b'),
    extension("with a line end in quotes", b';a="\r\nabc\r\n0\r\n\r\n"'),
    extension("with a bare LF in quotes", b';a="\n"'),
    extension("of 1 MiB", b";a=" + b"b" * (1 << 20), 400, 413, 431),
    cut("extensions of 1 MiB over many chunks", post_chunks((b"1;a=" + b"b" * 1020 + b"\r\nx\r\n") * 1024 + END), 400, 413, 431),

    # trailers
    trailer("Content-Length", b"Content-Length: 5\r\n"),
    trailer("content-length 0", b"content-length: 0\r\n"),
    trailer("Transfer-Encoding", b"Transfer-Encoding: chunked\r\n"),
    either("trailer Host", post_chunks(b"3\r\nabc\r\n0\r\nHost: evil.example\r\n\r\n"), broken(),
           forwarded(Want("POST", body=b"abc", headers={"host": "test.example"}, trailers=[]))),
    trailer("Connection", b"Connection: close\r\n"),
    trailer("Keep-Alive", b"Keep-Alive: timeout=5\r\n"),
    trailer("Proxy-Connection", b"Proxy-Connection: close\r\n"),
    trailer("Upgrade", b"Upgrade: websocket\r\n"),
    trailer("TE", b"TE: trailers\r\n"),
    trailer("behind a good one", b"X-Sum: 1\r\nContent-Length: 5\r\n"),
    trailer("without name", b": 1\r\n"),
    trailer("without colon", b"X-Sum\r\n"),
    trailer("with a space in the name", b"X Sum: 1\r\n"),
    trailer("with a space before the colon", b"X-Sum : 1\r\n"),
    trailer("folded", b"X-Sum: 1\r\n 2\r\n"),
    trailer("with a nul", b"X-Sum: a\x00b\r\n"),
    trailer("with a bare CR", b"X-Sum: a\rb\r\n"),
    trailer("with a bare LF", b"X-Sum: a\nX-B: b\r\n"),
    trailer("of 200 KiB", b"X-Sum: " + b"a" * 200000 + b"\r\n", 400, 413, 431),
    trailer("2000 of them", b"".join(b"X-%d: 1\r\n" % i for i in range(2000)), 400, 413, 431),
    forward("trailers where they are announced", post_chunks(b"3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n", b"Trailer: X-Sum\r\n"),
            Want("POST", body=b"abc", absent=("x-sum",), trailers=[("x-sum", "9")])),
    forward("trailers where the client takes them", post_chunks(b"3\r\nabc\r\n0\r\nX-Sum: 9\r\nX-B: c\r\n\r\n",
                                                                b"TE: trailers\r\nConnection: TE\r\n"),
            Want("POST", body=b"abc", absent=("x-sum",), trailers=[("x-sum", "9"), ("x-b", "c")])),
    forward("trailers without TE or Trailer are dropped", post_chunks(b"3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n"),
            Want("POST", body=b"abc", absent=("x-sum",), trailers=[])),
    forward("trailers are never merged", post_chunks(b"3\r\nabc\r\n0\r\nX-Sum: 9\r\nCookie: a=b\r\n\r\n",
                                                     b"X-Sum: 1\r\nTrailer: X-Sum\r\n"),
            Want("POST", body=b"abc", headers={"x-sum": "1"}, absent=("cookie",))),

    # a body of known length is not read as chunks
    forward("chunks in a body of known length", post_with(b"Content-Length: 13\r\n", b"3\r\nabc\r\n0\r\n\r\n"),
            Want("POST", body=b"3\r\nabc\r\n0\r\n\r\n")),
]
