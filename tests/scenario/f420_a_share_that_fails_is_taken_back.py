"""A change that does harm is taken back by itself; only its share of the connections has seen it."""
import threading
import time

import pytest

from support.client import Client, get
from support.origin import named, ok

PERCENT = 20


class Person(threading.Thread):
    """One connection, a request after the other."""

    def __init__(self, address, ended):
        super().__init__()
        self.address, self.ended, self.codes = address, ended, []

    def run(self):
        with Client(self.address) as client:
            while not self.ended.wait(0.5):
                self.codes.append(client.request(target="/").status)


@pytest.mark.waits
@pytest.mark.timeout(150)
def test_after_three_readings_it_is_gone(make_origin, make_enforced):
    proxy = make_enforced([make_origin(named("old"))])
    broken = make_origin(ok(status=500))
    change = proxy.as_("ann").submit({"pools": {"next": {"servers": {"n1": {"address": broken.address}}}},
                                      "routes": {"everything": {"pool": "next"}}},
                                     rollout=[{"percent": PERCENT, "for": "10m"}])
    proxy.approve_fully(change)
    before = proxy.status()["running"]
    proxy.as_("ann").apply(change)
    began, ended = time.monotonic(), threading.Event()
    people = [Person(proxy.address, ended) for _ in range(60)]
    for person in people:
        person.start()
    try:
        proxy.wait_for(lambda: proxy.as_("ann").change(change)["state"] == "rolled_back", timeout=90)
        took = time.monotonic() - began
        proxy.wait_for(lambda: all(person.codes[-1:] == [200] for person in people))
    finally:
        ended.set()
        for person in people:
            person.join()
    assert took > 25  # three readings in a row, no fewer
    hit = [person for person in people if 500 in person.codes]
    assert 2 <= len(hit) <= 27, len(hit)
    for person in hit:  # in the share from its first request until it was taken back, and not after
        assert person.codes == [500] * person.codes.count(500) + [200] * person.codes.count(200), person.codes
    requests = sum(len(person.codes) for person in people)
    failed = sum(person.codes.count(500) for person in people)
    assert failed < requests * 0.5, (failed, requests)
    now = proxy.as_("ann").change(change)
    assert "errors: pool next" in now["ended_why"], now["ended_why"]
    status = proxy.status()
    assert status["running"]["digest"] == before["digest"] and status["running"]["generation"] == before["generation"]
    assert status["pending_confirm"] is None and get(proxy.address).body == b"old"
    assert proxy.metrics().value("twokey_rollbacks_total", cause="gate") == 1
    proxy.wait_for(lambda: proxy.metrics().value("twokey_snapshots_alive") == 1)
