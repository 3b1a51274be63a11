"""
Beside an attack: what it costs the process, and a good client that is served meanwhile.

    with Cost(proxy) as cost, GoodClient(proxy.address) as good:
        …
    cost.cpu_s, cost.grown_bytes            # within; SCALE stretches the bounds of a sanitizer
    good.check()                            # every request was answered, and some were made
"""
import os
import threading
import time

from support.h2 import GET, H2Client

SCALE = float(os.environ.get("TWOKEY_TEST_SCALE", "1"))
IS_PLAIN = SCALE == 1  # a sanitizer's memory tells nothing


def cpu_s(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Cost:
    def __init__(self, proxy):
        self.proxy = proxy

    def __enter__(self):
        self._cpu = cpu_s(self.proxy.pid)
        self._rss = self.proxy.rss()
        return self

    def __exit__(self, *_):
        self.cpu_s = cpu_s(self.proxy.pid) - self._cpu
        self.grown_bytes = self.proxy.rss() - self._rss

    def check(self, cpu_s, grown_bytes):
        assert self.cpu_s < cpu_s * SCALE, f"it cost {self.cpu_s:.2f} s of CPU"
        assert not IS_PLAIN or self.grown_bytes < grown_bytes, f"it made the process {self.grown_bytes >> 10} KiB larger"


class GoodClient:
    """One request after the other, from before the attack until after it; a new connection when the proxy asks for one."""

    def __init__(self, address, gap=0.01, fields=None):
        self.address, self.gap, self.fields = address, gap, fields or GET
        self.answered = 0
        self.slowest_s = 0.0
        self.fault = None
        self._stop = threading.Event()
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        assert self._begun.wait(15), f"the good client was not served before the attack: {self.fault}"
        return self

    def __exit__(self, *_):
        now = self.answered
        deadline = time.monotonic() + 10 * SCALE
        while self.answered < now + 2 and self._thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        self._stop.set()
        self._thread.join(20)

    def _run(self):
        try:
            while not self._stop.is_set():
                with H2Client(self.address, timeout=20 * SCALE) as client:
                    self._ask(client)
        except Exception as fault:  # told by check()
            self.fault = fault
            self._begun.set()

    def _ask(self, client):
        for stream in range(1, 1600, 2):  # fewer than keepalive_requests
            if self._stop.is_set():
                return
            began = time.monotonic()
            status = client.request(stream, self.fields).status
            assert status == 200, f"answered {status}"
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            self.answered += 1
            self._begun.set()
            self._stop.wait(self.gap)

    def check(self, at_least=3, within_s=15.0):
        assert self.fault is None, f"the good client was not served: {self.fault!r}"
        assert self.answered >= at_least and self.slowest_s < within_s * SCALE, f"{self.answered} served, the slowest in {self.slowest_s:.2f} s"
