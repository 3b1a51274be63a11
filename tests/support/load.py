"""
Load: many requests from many connections, counted; and origins quick enough for it.

    origins = [QuickOrigin(name) for name in ("s1", "s2")]     # processes of their own: kill9()
    load = Load(proxy.address, connections=50, total=10000).run()
    assert load.statuses == {200: 10000} and load.bodies["s1"] == 5000

    with Trickle(proxy.address, per_second=40): ...            # some, evenly, so that nothing else waits

Load.start() runs it in a thread; stop() or `total` or `seconds` ends it.  A connection has one
request under way at a time; what breaks is counted in `broken`, with its reason.
"""
import collections
import http.client
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time

LENGTH = re.compile(rb"\r\nContent-Length: *(\d+)", re.IGNORECASE)
SERVER = r"""
import selectors, socket, sys, time
name, host, port, delay = sys.argv[1].encode(), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listening.bind((host, port))
listening.listen(1024)
print(listening.getsockname()[1], flush=True)
listening.setblocking(False)
said = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name)
loop = selectors.DefaultSelector()
loop.register(listening, selectors.EVENT_READ)
late = []
def answer(sock):
    try:
        sock.send(said)
    except OSError:
        pass
while True:
    wait = None if not late else max(0, late[0][0] - time.monotonic())
    for key, _ in loop.select(wait):
        if key.fileobj is listening:
            try:
                sock, _ = listening.accept()
            except OSError:
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(False)
            loop.register(sock, selectors.EVENT_READ, [b""])
            continue
        sock, held = key.fileobj, key.data
        try:
            data = sock.recv(65536)
        except BlockingIOError:
            continue
        except OSError:
            data = b""
        if not data:
            loop.unregister(sock)
            sock.close()
            continue
        held[0] += data
        while b"\r\n\r\n" in held[0]:
            held[0] = held[0].partition(b"\r\n\r\n")[2]
            late.append((time.monotonic() + delay, sock)) if delay else answer(sock)
    while late and late[0][0] <= time.monotonic():
        answer(late.pop(0)[1])
"""


class QuickOrigin:
    """A process that answers every request (without a body) with its name."""

    def __init__(self, name, host="127.0.0.1", port=0, delay=0.0):
        self.name = name
        self.host = host
        self.delay = delay
        self.port = port
        self.start()

    @property
    def address(self):
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def start(self):
        self.process = subprocess.Popen([sys.executable, "-c", SERVER, self.name, self.host, str(self.port), str(self.delay)],
                                        stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def kill9(self):
        self.process.kill()
        self.process.wait(10)

    def pause(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def stop(self):
        if self.process.poll() is None:
            self.kill9()
        self.process.stdout.close()


class Load:
    def __init__(self, address, connections=10, total=None, seconds=None, target="/", headers=(), method="GET", per_connection=None):
        host, _, port = address.rpartition(":")
        self.peer = (host.strip("[]"), int(port))
        self.connections = connections
        self.total = total if total is not None else 1 << 60
        self.seconds = seconds or 600
        self.per_connection = per_connection or 1 << 60
        fields = "".join(f"{name}: {value}\r\n" for name, value in dict(headers).items())
        self.request = f"{method} {target} HTTP/1.1\r\nHost: test.example\r\n{fields}\r\n".encode()
        self.statuses = collections.Counter()
        self.bodies = collections.Counter()
        self.broken = collections.Counter()
        self.passed_over = 0  # at most so many answers came to others while somebody waited for one
        self._begun = 0
        self._stopping = False
        self._thread = None

    @property
    def done(self):
        return sum(self.statuses.values())

    def run(self):
        self._loop = selectors.DefaultSelector()
        self._deadline = time.monotonic() + self.seconds
        open_now = sum(self._connect() for _ in range(self.connections))
        while open_now:
            for key, _ in self._loop.select(0.5):
                open_now -= self._readable(key.fileobj, key.data)
            if time.monotonic() > self._deadline + 30:
                self.broken["no answer within 30 s"] += open_now
                break
        self._loop.close()
        return self

    def start(self):
        self._thread = threading.Thread(target=self.run, daemon=True)
        self._thread.start()
        return self

    def stop(self):
        self._stopping = True
        return self.join()

    def join(self, timeout=120):
        self._thread.join(timeout)
        assert not self._thread.is_alive(), f"the load did not end: {self.done} done of {self._begun}"
        return self

    def wait_done(self, count, timeout=60):
        deadline = time.monotonic() + timeout
        while self.done < count and time.monotonic() < deadline and self._thread.is_alive():
            time.sleep(0.005)
        assert self.done >= count, f"{self.done} of {count} after {timeout} s; broken: {self.broken}"

    # -- one connection

    def _may_begin(self):
        return self._begun < self.total and not self._stopping and time.monotonic() < self._deadline

    def _connect(self):
        """1 when one more connection is under way."""
        if not self._may_begin():
            return 0
        sock = socket.socket(socket.AF_INET6 if ":" in self.peer[0] else socket.AF_INET)
        sock.settimeout(10)
        try:
            sock.connect(self.peer)
        except OSError as error:
            sock.close()
            self.broken[f"connect: {error}"] += 1
            return 0
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        state = {"buffer": b"", "left": self.per_connection, "done_before": 0}
        self._loop.register(sock, selectors.EVENT_READ, state)
        self._send(sock, state)
        return 1

    def _send(self, sock, state):
        self._begun += 1
        state["left"] -= 1
        state["done_before"] = self.done
        try:
            sock.send(self.request)
        except OSError:
            pass  # told by the next recv()

    def _close(self, sock):
        """1 less, unless another one takes its place."""
        self._loop.unregister(sock)
        sock.close()
        return 1 - self._connect()

    def _readable(self, sock, state):
        try:
            data = sock.recv(262144)
        except OSError as error:
            self.broken[f"recv: {error}"] += 1
            return self._close(sock)
        if not data:
            self.broken["closed before the answer was whole" if state["buffer"] else "closed without an answer"] += 1
            return self._close(sock)
        state["buffer"] += data
        head, found, rest = state["buffer"].partition(b"\r\n\r\n")
        if not found:
            return 0
        length = LENGTH.search(head)
        size = int(length[1]) if length else 0
        if len(rest) < size:
            return 0
        state["buffer"] = rest[size:]
        self.statuses[int(head[9:12])] += 1
        self.bodies[rest[:size].decode("latin-1") if size < 64 else "…"] += 1
        self.passed_over = max(self.passed_over, self.done - state["done_before"] - 1)
        if b"\r\nConnection: close" in head or state["left"] <= 0 or not self._may_begin():
            return self._close(sock)
        self._send(sock, state)
        return 0


class Trickle:
    """One keep-alive connection with so many requests a second, until the block ends; what breaks begins anew."""

    def __init__(self, address, per_second, target="/"):
        host, _, port = address.rpartition(":")
        self.peer = (host.strip("[]"), int(port))
        self.gap = 1 / per_second
        self.target = target
        self.statuses = collections.Counter()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join(30)

    def _run(self):
        connection = http.client.HTTPConnection(*self.peer, timeout=10)
        due = time.monotonic()
        while not self._ended.wait(max(0, due - time.monotonic())):
            due = max(due + self.gap, time.monotonic() - 1)
            try:
                connection.request("GET", self.target)
                reply = connection.getresponse()
                reply.read()
                self.statuses[reply.status] += 1
            except (OSError, http.client.HTTPException):
                connection.close()
        connection.close()
