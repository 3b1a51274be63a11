"""
HTTP/2 frame by frame: frames built byte by byte, and a client that sends exactly those.

    with H2Client(proxy.address) as client:             # clear text, prior knowledge
        client.send(headers(1, GET) + ping(b"12345678"))
        assert client.answer(1).status == 200

    with H2Client(proxy.address, context=h2_context(authority), name="shop.example") as client: ...

What the proxy sends is held to RFC 9113: frames on streams that are not open, DATA beyond the
windows that this client gave, fields that HTTP/2 forbids, settings out of range: WireError.
Nothing of the proxy is known here; the fields are encoded by hand and decoded by python3-hpack.
"""
import select
import socket
import ssl
import struct
import time

import hpack

from support import wire
from support.wire import TOKEN, VALUE, Ended, Fields, WireError  # noqa: F401

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR,
 REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM) = range(12)
(HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE) = range(1, 7)
ENABLE_CONNECT_PROTOCOL = 8
MAX_WINDOW = (1 << 31) - 1
DEFAULT_WINDOW = 65535
FRAME_ROOM = 16384
CONNECTION_SPECIFIC = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}


# -- frames, as bytes

def frame(kind, flags=0, stream=0, payload=b"", length=None, reserved=0):
    """`length` and `reserved` (the bit before the stream's number) as the test likes."""
    size = len(payload) if length is None else length
    return struct.pack(">BHBBL", size >> 16, size & 0xFFFF, kind, flags, stream | reserved << 31) + payload


def _padded(payload, pad):
    return payload if pad is None else bytes([pad]) + payload + bytes(pad)


def data(stream, payload=b"", end=False, pad=None, flags=0):
    return frame(DATA, flags | (END_STREAM if end else 0) | (PADDED if pad is not None else 0), stream, _padded(payload, pad))


def headers(stream, fields, end=True, end_headers=True, pad=None, priority=None, flags=0):
    """`fields` are pairs, or a block that is encoded already; `priority` (depends on, weight)."""
    payload = fields if isinstance(fields, bytes) else block(fields)
    if priority is not None:
        payload = struct.pack(">LB", *priority) + payload
        flags |= WITH_PRIORITY
    flags |= (END_STREAM if end else 0) | (END_HEADERS if end_headers else 0) | (PADDED if pad is not None else 0)
    return frame(HEADERS, flags, stream, _padded(payload, pad))


def continuation(stream, payload, end=True, flags=0):
    return frame(CONTINUATION, flags | (END_HEADERS if end else 0), stream, payload)


def settings(*pairs, ack=False, stream=0, flags=0):
    return frame(SETTINGS, flags | (ACK if ack else 0), stream, b"".join(struct.pack(">HL", *pair) for pair in pairs))


def ping(payload=b"pingping", ack=False, stream=0, flags=0):
    return frame(PING, flags | (ACK if ack else 0), stream, payload)


def reset(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">L", code))


def goaway(last=0, code=NO_ERROR, debug=b"", stream=0):
    return frame(GOAWAY, 0, stream, struct.pack(">LL", last, code) + debug)


def window(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">L", increment))


def priority(stream, depends=0, weight=15, exclusive=0):
    return frame(PRIORITY, 0, stream, struct.pack(">LB", depends | exclusive << 31, weight))


# -- HPACK, by hand (RFC 7541)

def integer(value, prefix, first=0):
    """§5.1: `first` are the bits before the prefix."""
    most = (1 << prefix) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def string(text, huffman=False):
    text = text.encode("latin-1") if isinstance(text, str) else text
    if huffman:
        coder = hpack.huffman.HuffmanEncoder(hpack.huffman_constants.REQUEST_CODES,
                                             hpack.huffman_constants.REQUEST_CODES_LENGTH)
        text = coder.encode(text)
    return integer(len(text), 7, 0x80 if huffman else 0) + text


def literal(name, value, kind="without", huffman=False):
    """`name` is text or an index of the tables; kind: without (indexing), never, or keep (in the dynamic table)."""
    prefix, first = {"without": (4, 0x00), "never": (4, 0x10), "keep": (6, 0x40)}[kind]
    if isinstance(name, int):
        return integer(name, prefix, first) + string(value, huffman)
    return bytes([first]) + string(name, huffman) + string(value, huffman)


def indexed(number):
    return integer(number, 7, 0x80)


def size_update(size):
    return integer(size, 5, 0x20)


def block(fields):
    return b"".join(field if isinstance(field, bytes) else literal(*field) for field in fields)


def request(method="GET", path="/", *more, scheme="http", authority="test.example"):
    """The fields of a request; what is None is left out."""
    pseudo = [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path)]
    return [(name, value) for name, value in pseudo if value is not None] + list(more)


GET = request()
POST = request("POST")


# -- the client

class H2Answer:
    """What a stream has got so far."""

    def __init__(self):
        self.status = None
        self.headers = Fields()
        self.interim = []      # (status, Fields)
        self.body = b""
        self.body_bytes = 0
        self.trailers = Fields()
        self.has_ended = False
        self.reset = None      # the code of RST_STREAM

    def header(self, name, default=None):
        return self.headers.get(name, default)

    @property
    def is_over(self):
        return self.has_ended or self.reset is not None

    def __repr__(self):
        end = f"reset {self.reset}" if self.reset is not None else "ended" if self.has_ended else "open"
        return f"<{self.status} {self.body_bytes} bytes {end}>"


def h2_context(ca=None, protocols=("h2",), version=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = ca is not None
    context.verify_mode = ssl.CERT_REQUIRED if ca else ssl.CERT_NONE
    if ca:
        context.load_verify_locations(ca.cert_file)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    if version:
        context.minimum_version = context.maximum_version = version
    return context


class H2Client:
    """`first` are our settings; `greet` False: not even the preface is sent.
    `answers_settings`, `answers_pings`, `opens_windows`: what it does by itself."""

    def __init__(self, address, context=None, name=None, first=(), greet=True, timeout=15.0, keep=True, receive_buffer=None):
        self.sock = self._connect(address, timeout, receive_buffer)
        self.sock.settimeout(timeout)
        if context:
            self.sock = context.wrap_socket(self.sock, server_hostname=name)
        self.timeout = timeout
        self.keep = keep                 # bodies are kept
        self.answers_settings = self.answers_pings = self.opens_windows = True
        self.decoder = hpack.Decoder()
        self.decoder.max_header_list_size = 1 << 20
        self.unread = bytearray()
        self.answers = {}                # by stream
        self.settings = None             # the server's, once they came
        self.settings_acks = 0
        self.pongs = []
        self.goaways = []                # (last, code, debug)
        self.windows = {0: DEFAULT_WINDOW}   # what the server may still send
        self.given = {}                  # what the server's WINDOW_UPDATEs let us send: stream, or 0
        self.sent = {}                   # what was sent of it
        self.first_window = DEFAULT_WINDOW
        self.frames = 0
        self.has_ended = False           # the connection
        self.was_reset = False
        self._block = None               # (stream, flags, bytes) of a head that is not complete
        self._unacked = []               # our INITIAL_WINDOW_SIZE, per SETTINGS that awaits its ACK
        if greet:
            self.send(PREFACE + settings(*first))

    @staticmethod
    def _connect(address, timeout, receive_buffer):
        if not receive_buffer:
            return wire.connect(address, timeout)
        sock = socket.socket(socket.AF_INET)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        host, _, port = address.rpartition(":")
        sock.connect((host, int(port)))
        return sock

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    # -- sending

    def send(self, octets):
        """False if the peer has closed already, which a refusal may do at any time."""
        self._note(octets)
        try:
            self.sock.sendall(octets)
            return True
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            return False

    def pour(self, octets, reads=True):
        """Much, while what comes is read (or not); False when the peer says GOAWAY, closed, or takes no more for 2 s."""
        self._note(octets)
        rest = memoryview(octets)
        self.sock.setblocking(False)
        try:
            while rest:
                may_read, may_write, _ = select.select([self.sock] if reads else [], [self.sock], [], 2)
                if may_read and not (self._fill() and self._is_wanted()):
                    return False
                if may_write:
                    rest = rest[self.sock.send(rest):]
                elif not may_read:
                    return False
        except (BrokenPipeError, ConnectionResetError):
            return False
        finally:
            self.sock.settimeout(self.timeout)
        self._parse()
        return not any(code for _, code, _ in self.goaways)

    def _reply(self, octets):
        """What nobody reads any more would wait for ever."""
        if self._is_wanted():
            self.send(octets)

    def _is_wanted(self):
        """False: GOAWAY of an error is among what came.  Looks only: nothing may be answered in the midst of a frame."""
        at = 0
        while at + 17 <= len(self.unread):
            high, low, kind = struct.unpack_from(">BHB", self.unread, at)
            if kind == GOAWAY and struct.unpack_from(">L", self.unread, at + 13)[0]:
                return False
            at += 9 + (high << 16 | low)
        return True

    def _note(self, octets):
        """What we give the server by WINDOW_UPDATE and SETTINGS; frames that are not whole end it."""
        at = len(PREFACE) if octets.startswith(PREFACE) else 0
        while at + 9 <= len(octets):
            high, low, kind, flags, stream = struct.unpack_from(">BHBBL", octets, at)
            payload = octets[at + 9:at + 9 + (high << 16 | low)]
            at += 9 + len(payload)
            stream &= MAX_WINDOW
            if kind == WINDOW_UPDATE and len(payload) == 4:
                self._open(stream, struct.unpack(">L", payload)[0] & MAX_WINDOW)
            elif kind == SETTINGS and not flags & ACK and len(payload) % 6 == 0:
                pairs = dict(struct.iter_unpack(">HL", payload))
                self._unacked.append(pairs)
            elif kind in (HEADERS, DATA) and stream not in self.answers and stream:
                self.answers[stream] = H2Answer()
            if kind == DATA:
                for each in (0, stream):
                    self.sent[each] = self.sent.get(each, 0) + len(payload)

    def room(self, stream):
        """How much the server's windows let us send on it now."""
        first = (self.settings or {}).get(INITIAL_WINDOW_SIZE, DEFAULT_WINDOW)
        return min(DEFAULT_WINDOW + self.given.get(0, 0) - self.sent.get(0, 0),
                   first + self.given.get(stream, 0) - self.sent.get(stream, 0))

    def send_body(self, stream, body, end=True, timeout=None):
        """As the windows allow; how much was sent: less if the stream or the connection ended before."""
        self.wait_settings()
        at = 0
        while at < len(body):
            over = self.stream(stream)
            if not self.pump(lambda: over.is_over or self.room(stream) > 0, timeout) or over.is_over:
                return at
            size = min(FRAME_ROOM, self.room(stream), len(body) - at)
            at += size
            self.send(data(stream, body[at - size:at], end=end and at == len(body)))
        if end and not body:
            self.send(data(stream, end=True))
        return at

    def _open(self, stream, increment):
        self.windows[stream] = self.windows.get(stream, self.first_window) + increment

    # -- receiving

    def _fill(self):
        try:
            got = self.sock.recv(262144)
        except (ConnectionResetError, BrokenPipeError):
            self.was_reset, got = True, b""
        except ssl.SSLWantReadError:
            return True
        except ssl.SSLEOFError:
            got = b""
        if not got:
            self.has_ended = True
            return False
        self.unread += got
        return True

    def pump(self, until, timeout=None):
        """Reads until until() is true: what it returned; or until the connection ended: what it returns then."""
        deadline = time.monotonic() + (timeout or self.timeout)
        while True:
            self._parse()
            found = until()
            if found or self.has_ended:
                return found
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"waited {timeout or self.timeout:g} s in vain: {self!r}")
            self.sock.settimeout(left)
            try:
                self._fill()
            except (TimeoutError, socket.timeout):
                pass
            finally:
                self.sock.settimeout(self.timeout)

    def answer(self, stream=1, timeout=None):
        """Waits until the stream is over: answered to its end, or reset.  Ended if the connection ends before."""
        answer = self.stream(stream)
        if not self.pump(lambda: answer.is_over, timeout):
            raise Ended(f"the connection ended before stream {stream} did: {self!r}")
        return answer

    def head(self, stream=1, timeout=None):
        answer = self.stream(stream)
        if not self.pump(lambda: answer.status or answer.is_over, timeout):
            raise Ended(f"the connection ended before stream {stream} was answered: {self!r}")
        return answer

    def stream(self, number):
        return self.answers.setdefault(number, H2Answer())

    def wait_settings(self):
        self.pump(lambda: self.settings is not None)
        return self.settings

    def wait_goaway(self, timeout=None):
        return self.pump(lambda: self.goaways and self.goaways[-1], timeout)

    def wait_closed(self, timeout=None):
        """Until the peer has closed; True, or TimeoutError."""
        self.pump(lambda: self.has_ended, timeout)
        return True

    def sync(self, timeout=None):
        """A PING and its answer: what the peer wrote before has been read.  False: the connection ended."""
        token = struct.pack(">Q", 0x5EED << 32 | self.frames)
        self.send(ping(token))
        return bool(self.pump(lambda: token in self.pongs, timeout))

    def request(self, stream, fields=None, body=None, timeout=None):
        self.send(headers(stream, fields or GET, end=body is None) + (data(stream, body, end=True) if body is not None else b""))
        return self.answer(stream, timeout)

    def __repr__(self):
        end = " ended" + (" (reset)" if self.was_reset else "") if self.has_ended else ""
        return f"<h2 {self.answers} goaway {self.goaways}{end}>"

    # -- what came, held to the rules

    def _parse(self):
        while len(self.unread) >= 9:
            high, low, kind, flags, stream = struct.unpack_from(">BHBBL", self.unread)
            length = high << 16 | low
            if self.frames == 0 and kind != SETTINGS:
                raise WireError(f"the first frame is no SETTINGS but {bytes(self.unread[:60])!r}")
            if length > FRAME_ROOM:
                raise WireError(f"a frame of {length} bytes")
            if len(self.unread) < 9 + length:
                return
            payload = bytes(self.unread[9:9 + length])
            del self.unread[:9 + length]
            if self._block and (kind != CONTINUATION or stream != self._block[0]):
                raise WireError(f"frame {kind} on stream {stream} inside a field block")
            self._take(kind, flags, stream, payload)
            self.frames += 1

    def _take(self, kind, flags, stream, payload):
        if kind in (DATA, HEADERS, RST_STREAM, CONTINUATION) and (stream not in self.answers or not stream % 2):
            raise WireError(f"frame {kind} on stream {stream}, which nobody opened")
        if kind in (SETTINGS, PING, GOAWAY) and stream:
            raise WireError(f"frame {kind} on stream {stream}")
        takers = {DATA: self._take_data, HEADERS: self._take_headers, CONTINUATION: self._take_continuation,
                  RST_STREAM: self._take_reset, SETTINGS: self._take_settings, PING: self._take_ping,
                  GOAWAY: self._take_goaway, WINDOW_UPDATE: self._take_window}
        if kind not in takers:
            raise WireError(f"a frame of type {kind}")
        takers[kind](flags, stream, payload)

    @staticmethod
    def _unpad(flags, payload):
        if not flags & PADDED:
            return payload
        if not payload or payload[0] >= len(payload):
            raise WireError("more padding than frame")
        return payload[1:len(payload) - payload[0]]

    def _live(self, stream, what):
        answer = self.answers[stream]
        if answer.is_over:
            raise WireError(f"{what} on stream {stream} after its end")
        return answer

    def _take_data(self, flags, stream, payload):
        answer = self._live(stream, "DATA")
        if answer.status is None:
            raise WireError("DATA before the head")
        for each in (0, stream):
            self._open(each, -len(payload))
            if self.windows[each] < 0 and payload:
                raise WireError(f"{-self.windows[each]} bytes more than the window of {each} allows")
        if self.opens_windows and payload:
            self._reply(window(0, len(payload)) + (b"" if flags & END_STREAM else window(stream, len(payload))))
        payload = self._unpad(flags, payload)
        answer.body_bytes += len(payload)
        if self.keep:
            answer.body += payload
        self._end(answer, flags)

    def _end(self, answer, flags):
        if flags & END_STREAM:
            answer.has_ended = True
            length = answer.headers.all("content-length")
            if length and answer.body_bytes and int(length[0]) != answer.body_bytes:
                raise WireError(f"content-length is {length}, the body has {answer.body_bytes}")

    def _take_headers(self, flags, stream, payload):
        self._live(stream, "HEADERS")
        payload = self._unpad(flags, payload)
        if flags & WITH_PRIORITY:
            payload = payload[5:]
        self._block = (stream, flags, payload)
        if flags & END_HEADERS:
            self._finish_block()

    def _take_continuation(self, flags, stream, payload):
        if not self._block:
            raise WireError("CONTINUATION without HEADERS")
        self._block = (stream, self._block[1], self._block[2] + payload)
        if flags & END_HEADERS:
            self._finish_block()

    def _finish_block(self):
        stream, flags, octets = self._block
        self._block = None
        answer = self.answers[stream]
        try:
            decoded = self.decoder.decode(octets, raw=True)
        except hpack.HPACKError as fault:
            raise WireError(f"a field block that cannot be decoded: {fault!r}") from None
        status, fields = self._fields(decoded)
        if answer.status is not None:
            if status is not None or not flags & END_STREAM:
                raise WireError("trailers with a status, or without END_STREAM")
            answer.trailers = fields
        elif status is None:
            raise WireError("a response without :status")
        elif status < 200:
            if flags & END_STREAM or status == 101 or fields.all("content-length"):
                raise WireError(f"an interim {status} that ends the stream, or 101")
            answer.interim.append((status, fields))
            return
        else:
            answer.status, answer.headers = status, fields
        self._end(answer, flags)

    @staticmethod
    def _fields(decoded):
        status, fields = None, Fields()
        for name, value in decoded:
            if name == b":status" and status is None and not fields and value.isdigit() and len(value) == 3:
                status = int(value)
            elif not TOKEN.match(name) or name != name.lower():
                raise WireError(f"a field called {name!r}")
            elif not VALUE.match(value) or value != value.strip(b" \t"):
                raise WireError(f"a field {name!r} that is {value!r}")
            elif name.decode() in CONNECTION_SPECIFIC:
                raise WireError(f"{name!r} in HTTP/2")
            else:
                fields.append((name.decode(), value.decode("latin-1")))
        if len(fields.all("content-length")) > 1:
            raise WireError("content-length twice")
        return status, fields

    def _take_reset(self, _flags, stream, payload):
        if len(payload) != 4:
            raise WireError("RST_STREAM of another size than 4")
        answer = self.answers[stream]
        if answer.reset is None:
            answer.reset = struct.unpack(">L", payload)[0]

    def _take_settings(self, flags, _stream, payload):
        if len(payload) % 6 or flags & ACK and payload:
            raise WireError("SETTINGS of a wrong size")
        if flags & ACK:
            self.settings_acks += 1
            if not self._unacked:
                raise WireError("a SETTINGS ACK too many")
            self._apply(self._unacked.pop(0))
            return
        self.settings = self.settings or {}
        for key, value in struct.iter_unpack(">HL", payload):
            if key == ENABLE_PUSH and value or key == INITIAL_WINDOW_SIZE and value > MAX_WINDOW or \
                    key == MAX_FRAME_SIZE and not FRAME_ROOM <= value < 1 << 24:
                raise WireError(f"setting {key} is {value}")
            self.settings[key] = value
        if self.answers_settings:
            self._reply(settings(ack=True))

    def _apply(self, pairs):
        """Our settings hold from the server's ACK on."""
        if INITIAL_WINDOW_SIZE in pairs:
            change = pairs[INITIAL_WINDOW_SIZE] - self.first_window
            self.first_window = pairs[INITIAL_WINDOW_SIZE]
            for stream in self.windows:
                if stream:
                    self.windows[stream] += change
        if HEADER_TABLE_SIZE in pairs:
            self.decoder.max_allowed_table_size = pairs[HEADER_TABLE_SIZE]

    def _take_ping(self, flags, _stream, payload):
        if len(payload) != 8:
            raise WireError("PING of another size than 8")
        if flags & ACK:
            self.pongs.append(payload)
        elif self.answers_pings:
            self._reply(ping(payload, ack=True))

    def _take_goaway(self, _flags, _stream, payload):
        if len(payload) < 8:
            raise WireError("GOAWAY shorter than 8")
        last, code = struct.unpack_from(">LL", payload)
        if self.goaways and last > self.goaways[-1][0]:
            raise WireError(f"GOAWAY says {last} after {self.goaways[-1][0]}")
        self.goaways.append((last, code, payload[8:]))

    def _take_window(self, _flags, stream, payload):
        if len(payload) != 4 or not struct.unpack(">L", payload)[0] & MAX_WINDOW:
            raise WireError("WINDOW_UPDATE of another size than 4, or of 0")
        self.given[stream] = self.given.get(stream, 0) + struct.unpack(">L", payload)[0]
