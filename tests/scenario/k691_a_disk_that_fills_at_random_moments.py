"""
The disk of the state directory fills and empties at random moments, under changes by two people and under traffic: what
is refused is refused whole, traffic never notices, and afterwards what is in memory is what is stored.

TWOKEY_FILLS says how often (5 when left out), TWOKEY_SEED repeats a run as far as chance allows.
"""
import os
import random
import time

import pytest

from support.busy import Book, Person
from support.client import get
from support.load import Load, QuickOrigin
from support.people import enforced_proxy
from support.state import small_disk, verify

FILLS = int(os.environ.get("TWOKEY_FILLS", "5"))
SEED = int(os.environ.get("TWOKEY_SEED", "0")) or random.randrange(1, 1 << 32)


@pytest.fixture
def on_small_disk():
    origins = [QuickOrigin(f"s{i}") for i in (1, 2, 3)]
    proxy = enforced_proxy([origin.address for origin in origins], config={"observe": {"access_log": {"path": "off"}}})
    try:
        with small_disk(proxy.state_dir, 48) as disk:
            yield proxy.start(), disk
            if proxy.process:
                proxy._kill()
    finally:
        proxy.discard()
        for origin in origins:
            origin.stop()


def can_be_written(proxy):
    ann = proxy.as_("ann")
    answer = ann.post("/v1/changes", {"title": "a probe", "reason": "r", "patch": {"pools": {"app": {"servers": {"s1": {"weight": 99}}}}}})
    if answer.status != 429:
        return answer.status == 201 and ann.post(f"/v1/changes/{answer.json()['id']}/withdraw", {"reason": "r"}).status == 200
    for change in ann.get("/v1/changes?author=ann&limit=100").json()["changes"]:
        if change["state"] in ("draft", "pending", "approved", "stale"):
            ann.post(f"/v1/changes/{change['id']}/withdraw", {"reason": "room"})
    return False


def states(proxy, book):
    ann = proxy.as_("ann")
    return {change: ann.get(f"/v1/changes/{change}").json()["state"] for change in book.states}


def may_be_stored(state, waits):
    """A start takes back what waits for its confirmation.  Where that was given, and the disk was full just then, the next
    second or the start finishes it, and what was open on the base before is stale."""
    if state == "confirming":
        return {"rolled_back", "applied"}
    return {state, "stale"} if waits and state in ("draft", "pending", "approved") else {state}


def check(proxy, book, round_):
    """With nobody at work: what is shown is what a start finds."""
    # What could not be recorded at its time is recorded now.
    proxy.wait_for(lambda: "ndurable" not in proxy.admin("GET", "/v1/alerts").body)
    proxy.wait_for(lambda: "applying" not in states(proxy, book).values())
    shown = states(proxy, book)
    running = proxy.status()["running"]
    assert proxy.admin("GET", "/v1/config").headers["ETag"].strip('"') == running["digest"], round_
    if FILLS < 3 or round_ % 2:
        proxy.kill9()
    else:
        proxy.stop()
    proxy.start(attempts=1)
    stored = states(proxy, book)
    waits = "confirming" in shown.values()
    for change, state in shown.items():
        expected = may_be_stored(state, waits)
        assert stored[change] in expected, f"fill {round_}: {change} was shown as {state}, and is stored as {stored[change]}"
    if not waits:
        assert proxy.status()["running"]["digest"] == running["digest"], round_
    problems = verify(proxy.state_dir)
    assert not problems, (round_, problems)
    book.states.clear()


@pytest.mark.timeout(60 + 15 * FILLS)
def test_what_is_shown_is_what_is_stored(on_small_disk):
    proxy, disk = on_small_disk
    print(f"TWOKEY_SEED={SEED}")
    chance = random.Random(SEED)
    book = Book()
    for round_ in range(FILLS):
        people = [Person("ann", "bob", proxy, book, chance.random()), Person("bob", "ann", proxy, book, chance.random())]
        load = Load(proxy.address, 4).start()
        for person in people:
            person.start()
        for _ in range(3):
            time.sleep(chance.uniform(0, 0.3))       # the moment is what is tested
            disk.fill()
            time.sleep(chance.uniform(0, 0.8))
            disk.empty()
        for person in people:
            person.end()
        assert get(proxy.address).status == 200
        load.stop()
        assert set(load.statuses) == {200} and not load.broken, (load.statuses, load.broken)
        proxy.wait_for(lambda: can_be_written(proxy), timeout=30)
        check(proxy, book, round_)
    print(f"{FILLS * 3} times full, {book.answers} answers, {book.refused} refused for it")
    proxy.stop()
    assert verify(proxy.state_dir) == []
