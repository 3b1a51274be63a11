"""
A client that sends exactly the bytes it is told to.

    with Client(proxy.address) as client:
        client.send(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
        assert client.response().status == 200

Responses are read by the strict reader of wire.py.
"""
import socket
import struct
import time

from support import wire
from support.bounds import SCALE
from support.wire import Ended, WireError  # noqa: F401  (tests import them from here)

LINGER_RESET = struct.pack("ii", 1, 0)


def build(method="GET", target="/", headers=None, body=None, host="test.example", version="1.1"):
    """A plain request as bytes; headers is a dict or a list of pairs."""
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
    names = [name.lower() for name, _ in pairs]
    lines = [f"{method} {target} HTTP/{version}"]
    if host is not None and "host" not in names:
        lines.append(f"Host: {host}")
    lines += [f"{name}: {value}" for name, value in pairs]
    if body is not None and not {"content-length", "transfer-encoding"}.intersection(names):
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")


class Client:
    def __init__(self, address, timeout=15.0 * SCALE, receive_buffer=None):
        if receive_buffer:
            self.sock = socket.socket(socket.AF_INET)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.sock.settimeout(timeout)
            host, _, port = address.rpartition(":")
            self.sock.connect((host, int(port)))
        else:
            self.sock = wire.connect(address, timeout)
        self.stream = wire.Stream(self.sock)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # -- sending

    def send(self, data):
        self.sock.sendall(data)

    def try_send(self, data):
        """Send; False if the peer has closed already (which a refusal may do at any time)."""
        try:
            self.sock.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def send_pieces(self, pieces, gap=0.002):
        """Each piece in a segment of its own."""
        for piece in pieces:
            if not self.try_send(piece):
                return False
            time.sleep(gap)
        return True

    def request(self, method="GET", target="/", headers=None, body=None, **more):
        """Send a plain request and read its response."""
        self.send(build(method, target, headers, body, **more))
        return self.response(method)

    # -- receiving

    def response(self, method="GET", keep=True):
        """The next final response (interim ones in .interim).  Cut short: Ended.  Ill-formed: WireError."""
        if not keep:
            self.stream.keep = False
        return wire.read_response(self.stream, method, keep)

    def head(self):
        """The next response head, interim ones too, without its body."""
        return wire.read_response_head(self.stream)

    def take(self, count):
        got = []
        self.stream.take(count, got.append)
        return b"".join(got)

    def read_until_close(self):
        """All bytes until the peer closes; a reset ends it too."""
        got = []
        try:
            self.stream.take_all(got.append)
        except Ended:
            pass
        return b"".join(got)

    def wait_closed(self):
        """True if the peer closes (or resets) without another byte; False if bytes come or time runs out."""
        try:
            self.stream.peek()
            return False
        except Ended:
            return True
        except TimeoutError:
            return False

    # -- leaving

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        self.sock.close()

    def close(self):
        self.sock.close()


def get(address, target="/", headers=None, **more):
    """One GET on a connection of its own."""
    with Client(address) as client:
        return client.request("GET", target, headers, **more)


def masked_frame(payload, opcode=1):
    """A WebSocket frame as a client sends it (payloads under 126 bytes)."""
    key = b"\x01\x02\x03\x04"
    masked = bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + key + masked
