"""
HTTP/1.1 as RFC 9112 spells it, and nothing else.

An independent reader, on purpose as narrow as the grammar allows: what the
proxy sends to a client or to an origin must be beyond doubt, so any ambiguity
is a WireError.  It shares no code with the proxy and knows nothing of it.
"""
import re
import socket
from dataclasses import dataclass, field

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
TARGET = re.compile(rb"[!\"$-~]+\Z")  # visible ASCII without '#'
VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*\Z")
DIGITS = re.compile(rb"[0-9]{1,19}\Z")
HEX = re.compile(rb"[0-9A-Fa-f]{1,16}\Z")
FRAMING = {"content-length", "transfer-encoding", "host", "connection", "trailer", "te", "upgrade", "keep-alive"}
MAX_LINE = 1 << 20


class WireError(Exception):
    """Bytes that the grammar does not allow, or that two readers could take in two ways."""


class Ended(Exception):
    """The peer closed, or reset, before the message was whole."""

    def __init__(self, what, was_reset=False):
        super().__init__(what + (" (reset)" if was_reset else ""))
        self.was_reset = was_reset


class Fields(list):
    """Header or trailer fields in order: [(name, value)], names as sent."""

    def all(self, name):
        return [value for key, value in self if key.lower() == name.lower()]

    def get(self, name, default=None):
        """The value of a field that stands once; several are a mistake of the test or the proxy."""
        values = self.all(name)
        assert len(values) < 2, f"{name} stands {len(values)} times: {values}"
        return values[0] if values else default

    def names(self):
        return [key.lower() for key, _ in self]


@dataclass
class Request:
    method: str
    target: str
    version: str
    headers: Fields
    body: bytes = b""
    body_bytes: int = 0
    chunked: bool = False
    trailers: Fields = field(default_factory=Fields)
    connection: int = 0
    raw: bytes = b""

    def header(self, name, default=None):
        return self.headers.get(name, default)


@dataclass
class Response:
    version: str
    status: int
    reason: str
    headers: Fields
    body: bytes = b""
    body_bytes: int = 0
    framing: str = "none"  # none, length, chunked, close
    trailers: Fields = field(default_factory=Fields)
    interim: list = field(default_factory=list)

    def header(self, name, default=None):
        return self.headers.get(name, default)

    @property
    def says_close(self):
        return any("close" in value.lower() for value in self.headers.all("connection"))


class Stream:
    """What arrives on a socket; `raw` keeps all of it unless keep is False."""

    def __init__(self, sock, keep=True):
        self.sock = sock
        self.keep = keep
        self.raw = bytearray()
        self.total = 0
        self._at = 0

    def fill(self):
        """Wait for more bytes; raises Ended at the end."""
        try:
            data = self.sock.recv(262144)
        except (ConnectionResetError, BrokenPipeError):
            raise Ended("the connection broke", was_reset=True) from None
        if not data:
            raise Ended("the connection ended")
        self.total += len(data)
        if not self.keep and self._at > 65536:
            del self.raw[: self._at]
            self._at = 0
        self.raw += data

    @property
    def position(self):
        return self._at

    def waiting(self):
        return bytes(self.raw[self._at:])

    def peek(self):
        while self._at == len(self.raw):
            self.fill()
        return self.raw[self._at]

    def line(self):
        while True:
            end = self.raw.find(b"\n", self._at)
            if end >= 0:
                break
            if len(self.raw) - self._at > MAX_LINE:
                raise WireError("a line without end")
            self.fill()
        line = bytes(self.raw[self._at:end + 1])
        self._at = end + 1
        if not line.endswith(b"\r\n"):
            raise WireError(f"a line that ends with a bare LF: {line[-60:]!r}")
        if b"\r" in line[:-2] or b"\0" in line:
            raise WireError(f"CR or NUL inside a line: {line[:80]!r}")
        return line[:-2]

    def take(self, count, into):
        """Hand `count` bytes to into(bytes), as they come."""
        while count:
            if self._at == len(self.raw):
                self.fill()
            piece = bytes(self.raw[self._at:self._at + count])
            self._at += len(piece)
            count -= len(piece)
            into(piece)

    def take_all(self, into):
        """Hand on everything until a clean end; a reset is Ended."""
        while True:
            piece = bytes(self.raw[self._at:])
            self._at += len(piece)
            into(piece)
            try:
                self.fill()
            except Ended as end:
                if end.was_reset:
                    raise
                return


class _Body:
    def __init__(self, keep):
        self.keep = keep
        self.parts = []
        self.count = 0

    def add(self, piece):
        self.count += len(piece)
        if self.keep:
            self.parts.append(piece)


def read_fields(stream):
    fields = Fields()
    while True:
        line = stream.line()
        if not line:
            return fields
        name, colon, value = line.partition(b":")
        if not colon or not TOKEN.match(name):
            raise WireError(f"not a field: {line[:80]!r}")
        value = value.strip(b" \t")
        if not VALUE.match(value):
            raise WireError(f"a control character in a field: {line[:80]!r}")
        fields.append((name.decode(), value.decode("latin-1")))


def _content_length(fields):
    values = fields.all("content-length")
    if len(values) > 1:
        raise WireError(f"Content-Length stands {len(values)} times")
    if not values:
        return None
    if not DIGITS.match(values[0].encode("latin-1")):
        raise WireError(f"Content-Length is {values[0]!r}")
    return int(values[0])


def _framing(fields):
    """None, 'chunked', or a length."""
    codings = fields.all("transfer-encoding")
    length = _content_length(fields)
    if not codings:
        return length
    if codings != ["chunked"]:
        raise WireError(f"Transfer-Encoding is {codings!r}")
    if length is not None:
        raise WireError("Transfer-Encoding and Content-Length in one message")
    return "chunked"


def _read_chunks(stream, body):
    while True:
        line = stream.line()
        if not HEX.match(line):
            raise WireError(f"not a chunk size: {line[:80]!r}")
        size = int(line, 16)
        if size == 0:
            break
        stream.take(size, body.add)
        if stream.line() != b"":
            raise WireError("no CRLF after the chunk's data")
    trailers = read_fields(stream)
    bad = FRAMING.intersection(trailers.names())
    if bad:
        raise WireError(f"{bad} in trailers")
    return trailers


def read_request_head(stream):
    line = stream.line()
    parts = line.split(b" ")
    if len(parts) != 3 or not TOKEN.match(parts[0]) or not TARGET.match(parts[1]):
        raise WireError(f"not a request line: {line[:120]!r}")
    if parts[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise WireError(f"not a version: {parts[2]!r}")
    headers = read_fields(stream)
    version = parts[2][5:].decode()
    if len(headers.all("host")) != 1:
        raise WireError(f"Host stands {len(headers.all('host'))} times")
    request = Request(parts[0].decode(), parts[1].decode(), version, headers)
    if _framing(headers) == "chunked":
        if version == "1.0":
            raise WireError("Transfer-Encoding in HTTP/1.0")
        request.chunked = True
    return request


def read_request_body(stream, request, keep=True):
    body = _Body(keep)
    framing = _framing(request.headers)
    if framing == "chunked":
        request.trailers = _read_chunks(stream, body)
    elif framing:
        stream.take(framing, body.add)
    request.body = b"".join(body.parts)
    request.body_bytes = body.count


def read_response_head(stream):
    line = stream.line()
    match = re.match(rb"HTTP/(1\.[01]) ([1-5][0-9]{2}) ([\t\x20-\x7e\x80-\xff]*)\Z", line)
    if not match:
        raise WireError(f"not a status line: {line[:120]!r}")
    headers = read_fields(stream)
    return Response(match[1].decode(), int(match[2]), match[3].decode("latin-1"), headers)


def read_response(stream, method="GET", keep=True):
    """One final response with its interim ones.  A body cut short is Ended."""
    interim = []
    while True:
        response = read_response_head(stream)
        if response.status >= 200 or response.status == 101:
            break
        if _framing(response.headers) is not None:
            raise WireError(f"a {response.status} that announces a body")
        interim.append(response)
    response.interim = interim
    framing = _framing(response.headers)
    if response.status == 204 and framing is not None or response.status == 101 and framing is not None:
        raise WireError(f"a {response.status} with {framing!r}")
    if method == "HEAD" or response.status in (101, 204, 304):
        return response
    body = _Body(keep)
    if framing == "chunked":
        if response.version == "1.0":
            raise WireError("Transfer-Encoding in HTTP/1.0")
        response.framing = "chunked"
        response.trailers = _read_chunks(stream, body)
    elif method == "CONNECT" and response.status < 300:
        return response
    elif framing is None:
        response.framing = "close"
        stream.take_all(body.add)
    else:
        response.framing = "length"
        stream.take(framing, body.add)
    response.body = b"".join(body.parts)
    response.body_bytes = body.count
    return response


def connect(address, timeout):
    """('127.0.0.1', 80), ('::1', 80), '127.0.0.1:80', '[::1]:80' or a Unix socket's path."""
    if isinstance(address, str) and ":" in address and not address.startswith("/"):
        host, _, port = address.rpartition(":")
        address = (host.strip("[]"), int(port))
    if isinstance(address, str):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(timeout)
        sock.connect(address)
        return sock
    sock = socket.create_connection(address, timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock
