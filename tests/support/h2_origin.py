"""
Origins that speak HTTP/2, frame by frame: they log every request and do as they are told.

    origin = make_origin(h2_ok(b"hello"), speaks=H2Origin)   # or {path: behaviour}, or a list: by turn
    origin = H2Origin(h2_ok(), settings=[(MAX_CONCURRENT_STREAMS, 2)])

A behaviour is a function (conn, request), called when the request is whole (or, marked @before_body, when its head is there):
conn.respond(request, …) answers as the windows allow, conn.send(frames) sends what it likes. What comes is held to RFC 9113:
what is not right is in origin.errors.
"""
import collections
import struct
import threading

import hpack

from support import h2, wire
from support.origin import CLOSE, Conn, Origin, before_body
from support.wire import Fields, WireError

WINDOW = 65535


def head(stream, fields, end):
    """HEADERS, and CONTINUATION where it is long."""
    block = h2.block(fields)
    pieces = [block[at:at + 16000] for at in range(0, len(block), 16000)] or [b""]
    frames = h2.headers(stream, pieces[0], end=end, end_headers=len(pieces) == 1)
    for number, piece in enumerate(pieces[1:], 2):
        frames += h2.continuation(stream, piece, end=number == len(pieces))
    return frames


class H2Request:
    def __init__(self, conn, stream, fields, ended):
        self.connection = conn.number
        self.stream = stream
        self.pseudo = {name: value for name, value in fields if name.startswith(":")}
        self.headers = Fields((name, value) for name, value in fields if not name.startswith(":"))
        self.body = b""
        self.body_bytes = 0
        self.trailers = Fields()
        self.has_ended = ended
        self.reset = None  # the code of RST_STREAM
        self.on_data = None  # (conn, request, data), where a behaviour set it
        self.on_end = None

    method = property(lambda self: self.pseudo.get(":method"))
    target = property(lambda self: self.pseudo.get(":path"))
    authority = property(lambda self: self.pseudo.get(":authority"))
    scheme = property(lambda self: self.pseudo.get(":scheme"))

    def header(self, name, default=None):
        return self.headers.get(name, default)

    def __repr__(self):
        return f"<{self.method} {self.target} on {self.connection}/{self.stream}, {self.body_bytes} bytes, reset {self.reset}>"


class H2Conn(Conn):
    def __init__(self, origin, sock, number):
        super().__init__(origin, sock, number)
        self.streams = {}
        self.highest = 0
        self.settings = {}
        self.goaways = []   # of the proxy
        self.resets = []    # (stream, code) of the proxy
        self.pings = 0
        self.opens_windows = True
        self.window = WINDOW
        self.windows = {}
        self.first_window = WINDOW
        self._out = collections.OrderedDict()  # stream: [bytes to send, trailers or None, ends]
        self._lock = threading.RLock()
        self._block = None
        self.decoder = hpack.Decoder()
        self.decoder.max_header_list_size = 1 << 20

    # -- sending

    def send(self, data):
        with self._lock:
            self.sock.sendall(data)

    def respond(self, request, status=200, headers=(), body=b"", trailers=None, end=True):
        """Head, body and trailers; end=False: more() follows."""
        fields = [(":status", str(status)), *headers]
        if end and not body and trailers is None:
            self.send(head(request.stream, fields, end=True))
            return
        self.send(head(request.stream, fields, end=False))
        self.more(request, body, end, trailers)

    def more(self, request, body=b"", end=False, trailers=None):
        with self._lock:
            waiting = self._out.setdefault(request.stream, [bytearray(), None, False])
            waiting[0] += body
            waiting[1] = list(trailers) if trailers is not None else None
            waiting[2] = end or trailers is not None
            self._pump()

    def interim(self, request, status, headers=()):
        self.send(h2.headers(request.stream, [(":status", str(status)), *headers], end=False))

    def reset_stream(self, request, code=h2.CANCEL):
        self._out.pop(request.stream, None)
        self.send(h2.reset(request.stream, code))

    def goaway(self, last=None, code=h2.NO_ERROR):
        self.send(h2.goaway(self.highest if last is None else last, code))

    def _pump(self):
        for stream, waiting in list(self._out.items()):
            while waiting[0] and self.window > 0 and self.windows.get(stream, self.first_window) > 0:
                size = min(len(waiting[0]), self.window, self.windows.get(stream, self.first_window), 16384)
                piece = bytes(waiting[0][:size])
                del waiting[0][:size]
                self.window -= size
                self.windows[stream] = self.windows.get(stream, self.first_window) - size
                self.send(h2.data(stream, piece, end=waiting[2] and waiting[1] is None and not waiting[0]))
                if waiting[2] and waiting[1] is None and not waiting[0]:
                    del self._out[stream]
            if waiting[0] or stream not in self._out:
                continue
            if waiting[2]:
                self.send(h2.headers(stream, waiting[1], end=True) if waiting[1] is not None else h2.data(stream, end=True))
            del self._out[stream]

    def unsent(self, request):
        with self._lock:
            return len(self._out.get(request.stream, [b""])[0])

    # -- the thread

    def _read(self, count):
        octets = bytearray()
        self.stream.take(count, octets.extend)
        return bytes(octets)

    def _serve_one(self):
        if self.served == 0:
            if self._read(len(h2.PREFACE)) != h2.PREFACE:
                raise WireError("no preface")
            if self.origin.greets:
                self.send(h2.settings(*self.origin.settings))
            self.served = 1
        high, low, kind, flags, stream = struct.unpack(">BHBBL", self._read(9))
        if (high << 16 | low) > 16384:
            raise WireError("a frame over 16 KiB")
        payload = self._read(high << 16 | low)
        with self._lock:
            result = self._take(kind, flags, stream, payload)
        self.origin._wake()
        return result is not CLOSE and self.open

    def _take(self, kind, flags, stream, payload):
        if self._block is not None and kind != h2.CONTINUATION:
            raise WireError(f"frame {kind} inside a field block")
        if kind == h2.HEADERS:
            if flags & (h2.PADDED | h2.WITH_PRIORITY):
                raise WireError("padding or priority, which the proxy does not send")
            self._block = (flags, payload)
        elif kind == h2.CONTINUATION:
            self._block = (self._block[0] | flags & h2.END_HEADERS, self._block[1] + payload)
        elif kind == h2.DATA:
            return self._take_data(flags, stream, payload)
        elif kind == h2.RST_STREAM:
            return self._take_reset(stream, payload)
        elif kind == h2.WINDOW_UPDATE:
            self._take_window(stream, struct.unpack(">L", payload)[0])
        elif kind == h2.SETTINGS and not flags & h2.ACK:
            self._take_settings(payload)
        elif kind == h2.PING and not flags & h2.ACK:
            self.pings += 1
            self.send(h2.ping(payload, ack=True))
        elif kind == h2.GOAWAY:
            self.goaways.append(struct.unpack(">LL", payload[:8]))
        elif kind in (h2.PRIORITY, h2.PUSH_PROMISE) or kind > h2.CONTINUATION:
            raise WireError(f"a frame of type {kind}")
        if self._block is not None and self._block[0] & h2.END_HEADERS:
            flags, octets = self._block
            self._block = None
            return self._take_head(stream, flags, octets)
        return None

    def _take_settings(self, payload):
        for key, value in struct.iter_unpack(">HL", payload):
            self.settings[key] = value
            if key == h2.INITIAL_WINDOW_SIZE:
                for stream in self.windows:
                    self.windows[stream] += value - self.first_window
                self.first_window = value
        if self.origin.greets:
            self.send(h2.settings(ack=True))
        self._pump()

    def _take_window(self, stream, increment):
        if not 0 < increment < 1 << 31:
            raise WireError(f"WINDOW_UPDATE of {increment}")
        if stream:
            self.windows[stream] = self.windows.get(stream, self.first_window) + increment
        else:
            self.window += increment
        self._pump()

    def _take_head(self, stream, flags, octets):
        fields = [(name.decode(), value.decode("latin-1")) for name, value in self.decoder.decode(octets, raw=True)]
        ended = bool(flags & h2.END_STREAM)
        if stream in self.streams:
            request = self.streams[stream]
            if not ended or request.has_ended or any(name.startswith(":") for name, _ in fields):
                raise WireError("trailers that do not end the stream, or with pseudo-fields")
            request.trailers = Fields(fields)
            return self._ended(request)
        if stream <= self.highest or not stream % 2:
            raise WireError(f"stream {stream} after {self.highest}")
        self._judge(fields)
        self.highest = stream
        request = self.streams[stream] = H2Request(self, stream, fields, False)
        self.origin._add(self.origin.heads, request)
        request.behaviour = self.origin._behaviour_for(request)
        if getattr(request.behaviour, "before_body", False):
            if request.behaviour(self, request) is CLOSE:
                return CLOSE
        return self._ended(request) if ended else None

    @staticmethod
    def _judge(fields):
        names = [name for name, _ in fields]
        pseudo = [name for name in names if name.startswith(":")]
        if sorted(pseudo) != [":authority", ":method", ":path", ":scheme"] or names[:4] != pseudo:
            raise WireError(f"pseudo-fields {pseudo}")
        for name, value in fields:
            bare = name.lstrip(":").encode()
            if name != name.lower() or not wire.TOKEN.match(bare) or not wire.VALUE.match(value.encode("latin-1")):
                raise WireError(f"a field {name!r}: {value!r}")
            if name in h2.CONNECTION_SPECIFIC or name == "host" or name == "te" and value != "trailers":
                raise WireError(f"{name!r}: {value!r} in HTTP/2")

    def _take_data(self, flags, stream, payload):
        request = self.streams.get(stream)
        if request is None or request.has_ended:
            raise WireError(f"DATA on stream {stream}, which is not open")
        request.body_bytes += len(payload)
        if self.origin.keep:
            request.body += payload
        if self.opens_windows and payload:
            self.send(h2.window(0, len(payload)) + (b"" if flags & h2.END_STREAM else h2.window(stream, len(payload))))
        if request.on_data and payload:
            request.on_data(self, request, payload)
        return self._ended(request) if flags & h2.END_STREAM else None

    def _ended(self, request):
        request.has_ended = True
        length = request.header("content-length")
        if length is not None and int(length) != request.body_bytes:
            raise WireError(f"content-length {length}, {request.body_bytes} bytes")
        self.origin._add(self.origin.requests, request)
        if request.on_end:
            request.on_end(self, request)
        if not getattr(request.behaviour, "before_body", False):
            return request.behaviour(self, request)
        return None

    def _take_reset(self, stream, payload):
        if stream not in self.streams:
            raise WireError(f"RST_STREAM on stream {stream}, which nobody opened")
        code = struct.unpack(">L", payload)[0]
        self.streams[stream].reset = code
        self.resets.append((stream, code))
        self._out.pop(stream, None)


class H2Origin(Origin):
    """`settings`: pairs; `greets` False: it never says SETTINGS."""

    conn_class = H2Conn

    def __init__(self, behaviour=None, *, settings=(), greets=True, **options):
        self.settings = list(settings)
        self.greets = greets
        if options.get("tls"):
            options["tls"].set_alpn_protocols(["h2"])
        super().__init__(behaviour or h2_ok(), **options)


# -- behaviours

def h2_ok(body=b"ok\n", headers=(), status=200, trailers=None):
    return lambda conn, request: conn.respond(request, status, headers, b"" if request.method == "HEAD" else body, trailers)


def h2_echo(trailers=None):
    """The body, and its trailers, or these."""
    def behave(conn, request):
        told = trailers if trailers is not None else list(request.trailers) or None
        conn.respond(request, 200, [], request.body, told)
    return behave


def h2_named(name):
    return lambda conn, request: conn.respond(request, 200, [("x-origin", name)], name.encode())


def h2_reset(code):
    return lambda conn, request: conn.reset_stream(request, code)


def h2_silent():
    return before_body(lambda conn, request: None)


def h2_raw(*frames):
    """Frames, built with stream 0 replaced by a function of the stream: (stream) -> bytes."""
    return lambda conn, request: conn.send(b"".join(one(request.stream) if callable(one) else one for one in frames))


def h2_goaway(last=None, code=h2.NO_ERROR, then=None):
    """GOAWAY (`last` relative to this stream: -2 is the one before it), then perhaps an answer."""
    def behave(conn, request):
        conn.goaway(max(0, request.stream + last) if last is not None else None, code)
        return then(conn, request) if then else None
    return behave


def h2_pool(**more):
    """What make_proxy takes as `pool`."""
    return {"protocol": "h2", **more}
