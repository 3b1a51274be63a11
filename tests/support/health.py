"""For the scenarios of health: behaviours that change while the test runs, and who served."""
import collections
import threading
import time

from support.client import Client
from support.origin import named, ok


class Switch:
    """A behaviour that the test replaces: switch.now = reset().  Knows when it was asked."""

    def __init__(self, now=None):
        self.now = now or ok()
        self.times = []
        self._changed = threading.Condition()

    def __call__(self, conn, request):
        with self._changed:
            self.times.append(time.monotonic())
            self._changed.notify_all()
        return self.now(conn, request)

    def wait_asked(self, count, timeout=15.0):
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.times) >= count, timeout), \
                f"asked {len(self.times)} times in {timeout} s, not {count}"
        return self.times[:count]


def checked(name, check):
    """An origin's behaviour: `check` answers /healthz, everything else says the name."""
    return {"/healthz": check, "*": named(name)}


def served_by(address, count):
    """How many of `count` requests each origin answered; whatever failed counts by its status."""
    seen = collections.Counter()
    with Client(address) as client:
        for _ in range(count):
            answer = client.request()
            seen[answer.header("x-origin") or answer.status] += 1
    return seen


CHECK = {"path": "/healthz", "interval": "200ms", "fast_interval": "100ms", "timeout": "1s", "fall": 2, "rise": 2}
