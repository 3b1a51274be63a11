"""
Origins: servers behind the proxy that log every byte and do as they are told.

    origin = Origin(ok(b"hello"))               # answers every request so
    origin = Origin({"/a": ok(), "/b": reset()}) # by path
    origin = Origin([reset(), ok()])             # the first request, the second, ... the last for ever

A behaviour is a function (conn, request) that sends what it wants with
conn.send() and friends; the connection stays open for the next request
unless the behaviour returns CLOSE.  A behaviour marked with @before_body runs
before the body is read (conn.read_body() reads it).

Requests are read by the strict reader of wire.py: what it does not take beyond
doubt is in origin.errors.
"""
import base64
import functools
import hashlib
import itertools
import os
import select
import shutil
import socket
import struct
import tempfile
import threading
import time

from support import wire
from support.bounds import SCALE
from support.wire import Ended, WireError

CLOSE = object()
LINGER_RESET = struct.pack("ii", 1, 0)


class Conn:
    """One connection from the proxy."""

    def __init__(self, origin, sock, number):
        self.origin = origin
        self.sock = sock
        self.number = number
        self.stream = wire.Stream(sock, keep=origin.keep)
        self.open = True
        self.ended_by_peer = threading.Event()
        self.was_reset = False
        self.served = 0

    @property
    def raw(self):
        """Every byte received so far (the latest only, when the origin does not keep)."""
        return bytes(self.stream.raw)

    def send(self, data):
        self.sock.sendall(data)

    def send_slowly(self, data, gap, step=1):
        for at in range(0, len(data), step):
            self.send(data[at:at + step])
            time.sleep(gap)

    def read_body(self, request):
        wire.read_request_body(self.stream, request, self.origin.keep)
        request.raw = bytes(self.stream.raw[self._began:self.stream.position]) if self.origin.keep else b""
        self.origin._add(self.origin.requests, request)
        request.is_read = True

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        self.sock.close()
        self.open = False
        return CLOSE

    def wait_peer(self, timeout=60):
        """Until the proxy closes; what it sent meanwhile."""
        self.sock.settimeout(timeout)
        try:
            while True:
                self.stream.fill()
        except (Ended, OSError):
            return self.stream.waiting()

    # -- the thread

    def _run(self):
        try:
            if self.origin.tls:
                self.sock = self.origin.tls.wrap_socket(self.sock, server_side=True)
                self.stream = wire.Stream(self.sock, keep=self.origin.keep)
                self.origin._add(self.origin.sessions, self.sock)
            while self._serve_one():
                pass
        except Ended as end:
            self.was_reset = end.was_reset
            self.ended_by_peer.set()
        except WireError as fault:
            self.origin._add(self.origin.errors, (self.number, fault, self.raw))
        except OSError:
            pass
        finally:
            self._finish()

    def _finish(self):
        self.open = False
        try:
            self.sock.close()
        except OSError:
            pass
        self.origin._wake()

    def _serve_one(self):
        self._began = self.stream.position
        request = wire.read_request_head(self.stream)
        request.connection = self.number
        request.is_read = False
        self.origin._add(self.origin.heads, request)
        behaviour = self.origin._behaviour_for(request)
        if not getattr(behaviour, "before_body", False):
            expectation = request.header("expect")
            if expectation and expectation.lower() == "100-continue":
                self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.read_body(request)
        result = behaviour(self, request)
        self.served += 1
        if result is CLOSE or not self.open:
            return False
        if not request.is_read:
            self.read_body(request)
        return True


class Origin:
    conn_class = Conn

    def __init__(self, behaviour=None, *, kind="inet", keep=True, backlog=512, address=None, tls=None):
        self.keep = keep
        self.tls = tls  # an ssl.SSLContext: it speaks TLS
        self.sessions = []  # sockets whose handshake is over
        self.behaviour = behaviour or ok()
        self.requests = []   # whole requests, in the order of their ends
        self.heads = []      # request heads, in the order of arrival
        self.errors = []     # (connection number, WireError, its bytes)
        self.connections = []
        self._changed = threading.Condition()
        self._turn = itertools.count()
        self._directory = None
        self._stopped = False
        self._listen(kind, address, backlog)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _listen(self, kind, address, backlog):
        if kind == "unix":
            self._directory = tempfile.mkdtemp(prefix="tko-")
            self.path = os.path.join(self._directory, "s")
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.bind(self.path)
            self.address = "unix:" + self.path
        else:
            family, host = (socket.AF_INET6, "::1") if kind == "inet6" else (socket.AF_INET, "127.0.0.1")
            port = 0
            if address:
                host, _, port = address.rpartition(":")
                host = host.strip("[]")
            self.sock = socket.socket(family)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.sock.bind((host, int(port)))
            self.port = self.sock.getsockname()[1]
            self.address = f"[{host}]:{self.port}" if kind == "inet6" else f"{host}:{self.port}"
        self.sock.listen(backlog)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Stop listening and reset every connection: what a killed server looks like."""
        if self._stopped:
            return
        self._stopped = True
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        self.drop_connections()
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)

    def drop_connections(self):
        for conn in list(self.connections):
            if conn.open:
                try:
                    conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
                    conn.sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    # -- looking back

    def mark(self):
        """A point in time for since()."""
        with self._changed:
            return (len(self.requests), len(self.heads), len(self.errors),
                    sum(conn.stream.total for conn in self.connections), len(self.connections))

    def since(self, mark):
        """What came after the mark."""
        with self._changed:
            return Seen(self.requests[mark[0]:], self.heads[mark[1]:], self.errors[mark[2]:],
                        sum(conn.stream.total for conn in self.connections) - mark[3], self.connections[mark[4]:])

    def clear(self):
        """Forget requests, heads and errors; connections stay."""
        with self._changed:
            del self.requests[:], self.heads[:], self.errors[:]

    def open_connections(self):
        return [conn for conn in self.connections if conn.open]

    def wait_for(self, predicate, timeout=15.0):
        """Wait until predicate(origin) holds; it is looked at whenever something arrives."""
        with self._changed:
            if not self._changed.wait_for(lambda: predicate(self), timeout * SCALE):
                raise AssertionError(f"the origin waited {timeout} s in vain; it has {len(self.requests)} requests, "
                                     f"{len(self.heads)} heads, errors {self.errors}")
        return self

    def wait_requests(self, count, timeout=15.0):
        self.wait_for(lambda _: len(self.requests) >= count or self.errors, timeout)
        assert not self.errors, f"the origin could not read what it got: {self.errors}"
        return self.requests[:count]

    def settle(self, timeout=5.0):
        """Wait until every byte the kernel holds for us has been read and looked at."""
        deadline = time.monotonic() + timeout
        quiet = 0
        while quiet < 3 and time.monotonic() < deadline:
            socks = [conn.sock for conn in self.open_connections() if conn.sock.fileno() >= 0]
            try:
                busy = select.select([self.sock, *socks], [], [], 0)[0]
            except (OSError, ValueError):
                busy = [None]
            quiet = 0 if busy else quiet + 1
            time.sleep(0.002)

    # -- the threads

    def _add(self, where, what):
        with self._changed:
            where.append(what)
            self._changed.notify_all()

    def _wake(self):
        with self._changed:
            self._changed.notify_all()

    def _accept(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conn = self.conn_class(self, sock, len(self.connections))
            self._add(self.connections, conn)
            greet = getattr(self.behaviour, "on_accept", None)
            if greet and greet(conn) is CLOSE:
                conn._finish()
                continue
            threading.Thread(target=conn._run, daemon=True).start()

    def _behaviour_for(self, request):
        told = self.behaviour
        if isinstance(told, dict):
            told = told.get(request.target.partition("?")[0]) or told.get("*") or ok()
        if isinstance(told, list):
            told = told[min(next(self._turn), len(told) - 1)]
        return told


class Seen:
    """What an origin got since a mark."""

    def __init__(self, requests, heads, errors, total, connections):
        self.requests = requests
        self.heads = heads
        self.errors = errors
        self.bytes = total
        self.connections = connections

    def __repr__(self):
        lines = [f"{r.method} {r.target} {r.headers} body {r.body[:60]!r}" for r in self.requests]
        return f"{len(self.heads)} heads, {len(self.requests)} requests, {self.bytes} bytes, errors {self.errors}: {lines}"


# -- behaviours

def before_body(function):
    """This behaviour runs as soon as the head is there."""
    function.before_body = True
    return function


def response(status=200, headers=None, body=b"", reason="Said", version="1.1"):
    """A response as bytes, with Content-Length (unless the headers say how it is framed)."""
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
    names = [name.lower() for name, _ in pairs]
    if not {"content-length", "transfer-encoding"}.intersection(names) and status not in (204, 304) and status >= 200:
        pairs.append(("Content-Length", str(len(body))))
    head = f"HTTP/{version} {status} {reason}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in pairs)
    return head.encode("latin-1") + b"\r\n" + body


def chunks(parts, trailers=()):
    """A chunked body as bytes."""
    out = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return out + b"0\r\n" + b"".join(f"{name}: {value}\r\n".encode() for name, value in trailers) + b"\r\n"


def ok(body=b"ok\n", headers=None, status=200):
    """Answers 200 (or `status`) with this body; a HEAD gets the head alone."""
    def behave(conn, request):
        said = response(status, headers, body)
        conn.send(said[:len(said) - len(body)] if request.method == "HEAD" and body else said)
    return behave


def raw(data, then=None):
    """Sends these bytes, whatever they are; then=CLOSE closes after them."""
    def behave(conn, _request):
        conn.send(data)
        return then
    return behave


def echo():
    """Answers with the body it got, its trailers as trailers."""
    def behave(conn, request):
        if request.trailers:
            conn.send(response(200, [("Transfer-Encoding", "chunked")]) +
                      chunks([request.body] if request.body else [], request.trailers))
        else:
            conn.send(response(200, None, request.body))
    return behave


def named(name, delay=0.0):
    """Answers with its name, so that a test can count who served."""
    def behave(conn, _request):
        if delay:
            time.sleep(delay)
        conn.send(response(200, [("X-Origin", name)], name.encode()))
    return behave


def chunked(parts, trailers=(), headers=(), gap=0.0):
    def behave(conn, _request):
        conn.send(response(200, [*headers, ("Transfer-Encoding", "chunked")]))
        for part in parts:
            conn.send(b"%x\r\n%s\r\n" % (len(part), part))
            if gap:
                time.sleep(gap)
        conn.send(chunks([], trailers))
    return behave


def after(seconds, behaviour):
    """The same, later."""
    @functools.wraps(behaviour)
    def behave(conn, request):
        time.sleep(seconds)
        return behaviour(conn, request)
    return behave


def then_close(behaviour):
    """The same, and closes afterwards without having said so: the idle race."""
    @functools.wraps(behaviour)
    def behave(conn, request):
        behaviour(conn, request)
        return CLOSE
    return behave


def then_reset(behaviour):
    @functools.wraps(behaviour)
    def behave(conn, request):
        behaviour(conn, request)
        return conn.reset()
    return behave


def close_after(count, data):
    """Sends the first `count` bytes of data and closes."""
    return raw(data[:count], CLOSE)


def close_now():
    """Closes without a byte of answer."""
    return lambda conn, request: CLOSE


def reset():
    """Resets without a byte of answer."""
    return lambda conn, request: conn.reset()


def reset_before_body():
    return before_body(lambda conn, request: conn.reset())


def stall(data=b"", seconds=600):
    """Sends data, if any, then nothing until the proxy leaves."""
    def behave(conn, _request):
        if data:
            conn.send(data)
        conn.wait_peer(seconds)
        return CLOSE
    return behave


def early(data, then=CLOSE, linger=True):
    """Answers before it has read the body; reads on only to let the answer through."""
    @before_body
    def behave(conn, _request):
        conn.send(data)
        if then is CLOSE and linger:
            conn.half_close()
            conn.wait_peer(10)
        return then
    return behave


def drip(data, gap=0.01, step=1):
    """Sends data a few bytes at a time."""
    return lambda conn, request: conn.send_slowly(data, gap, step)


def interim(heads, behaviour):
    """Sends interim responses (bytes) before the behaviour's own."""
    def behave(conn, request):
        for head in heads:
            conn.send(head)
        return behaviour(conn, request)
    return behave


def with_extra(data, behaviour=None):
    """Bytes too many after a whole response."""
    told = behaviour or ok()

    def behave(conn, request):
        told(conn, request)
        conn.send(data)
    return behave


@before_body
def _tunnel(conn, request):
    conn.read_body(request)
    conn.send(response(101, [("Connection", "Upgrade"), ("Upgrade", request.header("upgrade", "test"))]))
    echo_tunnel(conn)
    return CLOSE


def echo_tunnel(conn):
    try:
        while True:
            data = conn.stream.waiting()
            conn.stream.take(len(data), lambda piece: None)
            if data:
                conn.send(data)
            conn.stream.fill()
    except Ended as end:
        if not end.was_reset:
            conn.half_close()


def tunnel():
    """Takes any Upgrade with 101, then echoes bytes until the other side ends."""
    return _tunnel


def websocket():
    """A WebSocket server that echoes text frames under 126 bytes."""
    @before_body
    def behave(conn, request):
        conn.read_body(request)
        key = request.header("sec-websocket-key", "").encode()
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
        conn.send(response(101, [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Accept", accept)]))
        while True:
            head = []
            conn.stream.take(2, head.append)
            first, second = b"".join(head)
            rest = []
            conn.stream.take(4 + (second & 0x7F), rest.append)
            blob = b"".join(rest)
            payload = bytes(byte ^ blob[i % 4] for i, byte in enumerate(blob[4:]))
            conn.send(bytes([first, len(payload)]) + payload)
            if first & 15 == 8:
                return CLOSE
    return behave


def greeting(data, then=None):
    """Sends bytes as soon as a connection opens, before any request."""
    told = ok()

    def behave(conn, request):
        return told(conn, request)

    def on_accept(conn):
        conn.send(data)
        return then
    behave.on_accept = on_accept
    return behave


def refuse_connections():
    """Accepts and closes at once."""
    def behave(conn, request):
        return CLOSE
    behave.on_accept = lambda conn: conn.reset()
    return behave
