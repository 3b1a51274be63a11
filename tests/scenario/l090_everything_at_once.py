"""Clients and servers that do anything at any moment: no answer reaches the wrong client, nothing is left behind."""
import os
import random
import threading
import time

import pytest

from support.client import Client, Ended, WireError, build
from support.origin import CLOSE, Origin, before_body, chunks, response

SECONDS = float(os.environ.get("TWOKEY_CHAOS_SECONDS", "6"))
SEED = int(os.environ.get("TWOKEY_CHAOS_SEED", "0")) or random.randrange(1, 1 << 30)
HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"


def answer_of(request):
    """What identifies the request, many times over."""
    size = int(request.header("x-size", "1"))
    return (request.target + "|").encode() * size


def anything(rng):
    """A server that mostly answers, and now and then does its worst."""
    @before_body
    def behave(conn, request):
        body = answer_of(request)
        dice = rng.random()
        if dice < 0.03:
            return conn.reset()
        if dice < 0.06:
            return CLOSE
        if dice < 0.09:
            conn.send(response(503, None, b"early|" + body))
            return CLOSE if rng.random() < 0.5 else conn.reset()
        if dice < 0.11:
            conn.send(rng.randbytes(rng.randrange(1, 3000)))
            return CLOSE
        if request.header("upgrade"):
            conn.send(response(101, [("Connection", "upgrade"), ("Upgrade", "test")]) + body)
            conn.stream.sock.settimeout(1)
            conn.wait_peer(rng.choice([0.01, 0.3]))
            return rng.choice([lambda: CLOSE, conn.reset])()
        if request.header("expect") and rng.random() < 0.8:
            conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if rng.random() < 0.1:
            conn.send(HINT * rng.randrange(1, 4))
        conn.read_body(request)
        if rng.random() < 0.05:
            time.sleep(rng.random() * 0.3)
        head = request.method == "HEAD"
        form = rng.randrange(6)
        if head:
            said = response(200, [("Content-Length", str(len(body)))])
        elif form == 0:
            step = rng.randrange(1, 5000)
            said = response(200, [("Transfer-Encoding", "chunked")]) + \
                chunks([body[at:at + step] for at in range(0, len(body), step)], [("X-Sum", "1")])
        elif form == 1:
            said = b"HTTP/1.0 200 OK\r\nX-Form: until-close\r\n\r\n" + body
        else:
            said = response(200, None, body)
        if rng.random() < 0.05:
            conn.send(said[:rng.randrange(1, len(said))])
            if form != 1 and rng.random() < 0.5:  # a body that ends with its connection must not end well
                return CLOSE
            time.sleep(0.02)
            return conn.reset()
        if rng.random() < 0.03 and form > 1 and not head and len(said) < 10_000:
            # In one segment: what arrives after the next request went out nobody could tell from its answer.
            conn.send(said + response(200, None, b"nobody's"))
        elif rng.random() < 0.1:
            cut = min(len(said), 300)
            for at in range(cut):
                conn.send(said[at:at + 1])
            conn.send(said[cut:])
        else:
            conn.send(said)
        if not head and form == 1:
            return CLOSE
        return CLOSE if rng.random() < 0.1 else None
    return behave


class Load:
    """One client after the other, each with its own ideas."""

    def __init__(self, address, number, until, faults, counts):
        self.address, self.until, self.faults, self.counts = address, until, faults, counts
        self.rng = random.Random(SEED + number)
        self.prefix = f"/c{number}-"
        self.serial = 0
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while time.monotonic() < self.until:
            try:
                self._connection()
            except (Ended, TimeoutError, ConnectionError):
                self.counts["cut"] += 1
            except (WireError, AssertionError) as fault:
                self.faults.append(f"{self.prefix}{self.serial}: {fault!r}")
            except OSError:
                pass

    @staticmethod
    def _send(client, said):
        try:
            client.send(said)
        except OSError:
            pass  # the connection, or this end of it, has gone

    def _next(self):
        rng = self.rng
        self.serial += 1
        target = f"{self.prefix}{self.serial}"
        headers = [("X-Size", str(rng.choice([1, 10, 1000, 20000])))]
        method = rng.choice(["GET", "GET", "HEAD", "POST", "PUT", "DELETE"])
        if rng.random() < 0.05:
            return "GET", target, build("GET", target, headers + [("Connection", "upgrade"), ("Upgrade", "test")])
        if method not in ("POST", "PUT"):
            return method, target, build(method, target, headers)
        body = b"u" * rng.choice([0, 1, 1000, 200_000])
        if rng.random() < 0.2:
            headers.append(("Expect", "100-continue"))
        if rng.random() < 0.5:
            return method, target, build(method, target, headers, body)
        step = rng.randrange(1, 50_000)
        return method, target, build(method, target, headers + [("Transfer-Encoding", "chunked")]) + \
            chunks([body[at:at + step] for at in range(0, len(body), step)], [("X-T", "1")])

    def _connection(self):
        rng = self.rng
        with Client(self.address, timeout=8, receive_buffer=rng.choice([None, 4096])) as client:
            for _ in range(rng.randrange(1, 12)):
                asked = [self._next() for _ in range(rng.choice([1, 1, 1, 4]))]
                said = b"".join(each[2] for each in asked)
                if rng.random() < 0.06:  # leaves in the middle of it
                    client.try_send(said[:rng.randrange(0, len(said))])
                    return client.reset() if rng.random() < 0.7 else None
                if rng.random() < 0.1:
                    for at in range(0, min(len(said), 400)):
                        client.send(said[at:at + 1])
                    said = said[400:]
                sender = threading.Thread(target=self._send, args=(client, said), daemon=True)
                sender.start()
                if rng.random() < 0.06:
                    time.sleep(rng.random() * 0.05)
                    return client.reset()
                if not all(self._answer(client, method, target) for method, target, _ in asked):
                    return None
                sender.join(8)  # an answer may come before all is sent; the next request comes after it
                if sender.is_alive():
                    return None
            if rng.random() < 0.02:
                client.send(rng.randbytes(200))
            return None

    def _answer(self, client, method, target):
        reply = client.response(method)
        self.counts[reply.status] = self.counts.get(reply.status, 0) + 1
        mine = f"{target}|".encode()
        if reply.status == 101:
            assert client.stream.waiting()[:len(mine)] in (mine, b"") or mine.startswith(client.stream.waiting())
            return False
        if reply.status == 200 and method != "HEAD":
            rest = reply.body.replace(mine, b"")
            if reply.header("x-form"):  # where a killed server stopped cannot be told from its end
                rest = not mine.startswith(rest)
            assert not rest, f"not mine: {reply.body[:80]!r} for {target}"
        elif reply.status == 503 and reply.body.startswith(b"early|"):
            assert reply.body[6:6 + len(mine)] == mine, f"not mine: {reply.body[:80]!r}"
        else:
            assert reply.status in (200, 400, 408, 417, 502, 503, 504), reply
        return not reply.says_close


@pytest.mark.race
@pytest.mark.timeout(180)
def test_everything_at_once(make_proxy, make_origin):
    rng = random.Random(SEED)
    origins = [Origin(anything(random.Random(SEED + 1000 + i)), keep=False) for i in range(3)]
    proxy = make_proxy(origins, pool={"timeouts": {"response": "2s", "connect": "1s"}, "retry": {"attempts": 2},
                                      "ejection": {"consecutive_failures": 0}, "keepalive": {"idle_per_worker": 4}},
                       listener={"timeouts": {"body_idle": "1s", "write_idle": "2s", "headers": "1s", "tunnel_idle": "1s"}})
    before, files = proxy.rss(), proxy.descriptors()
    faults, counts, until = [], {"cut": 0}, time.monotonic() + SECONDS
    loads = [Load(proxy.address, number, until, faults, counts) for number in range(24)]
    for load in loads:
        load.thread.start()
    try:
        while time.monotonic() < until and not faults:
            time.sleep(0.3)
            dice = rng.random()
            if dice < 0.3:  # a server dies with all its connections, and comes back
                at = rng.randrange(len(origins))
                origins[at].stop()
                time.sleep(0.1)
                origins[at] = Origin(anything(random.Random(rng.random())), keep=False, address=origins[at].address)
            elif dice < 0.5:
                config = proxy.config
                config["pools"]["app"]["balance"] = rng.choice(["round_robin", "least_requests", "random", "maglev"])
                assert proxy.reload(config).status == 200
        for load in loads:
            load.thread.join(20)
        assert not faults, f"seed {SEED}: {faults[:5]}"
        assert counts.get(200, 0) > 50, counts
        proxy.wait_for(lambda: proxy.metrics().value("twokey_listener_connections_open") == 0, timeout=30)
        proxy.wait_for(lambda: proxy.metrics().value("twokey_server_in_flight") == 0)
        assert proxy.metrics().value("twokey_snapshots_alive") == 1
        assert proxy.descriptors() <= files + 3 * 2 * 4 + 4
        assert proxy.rss() - before < 400 << 20  # AddressSanitizer keeps 256 MiB of what was freed
    finally:
        for origin in origins:
            origin.stop()
    print(f"seed {SEED}: {counts}")
