"""
kill -9 at random moments, under changes by two people and under traffic: after each start every change is in a state
that its table allows, none that was approved is lost, the chain verifies, and traffic goes on with what `boot` names.

TWOKEY_KILLS says how often (25 when left out), TWOKEY_SEED repeats a run as far as chance allows.
"""
import os
import random
import time

import pytest

from support.busy import Book, Person
from support.client import get
from support.load import Load, QuickOrigin
from support.people import enforced_proxy
from support.state import verify

KILLS = int(os.environ.get("TWOKEY_KILLS", "25"))
SEED = int(os.environ.get("TWOKEY_SEED", "0")) or random.randrange(1, 1 << 32)

# What a change may be after a start, by what was answered last, and by the call that was not answered.
STAYS = {
    "draft": {"draft", "stale"},
    "pending": {"pending", "stale"},
    "approved": {"approved", "stale"},
    "stale": {"stale"},
    "confirming": {"rolled_back"},     # a start takes it back; or the other person did before
    "applied": {"applied"}, "rolled_back": {"rolled_back"}, "withdrawn": {"withdrawn"}, "rejected": {"rejected"},
}
BECOMES = {
    None: set(),
    "approve": {"approved"},
    "apply": {"rolled_back"},          # it was armed, and not confirmed
    "confirm": {"applied", "rolled_back"},
    "cancel": {"rolled_back"},
    "withdraw": {"withdrawn"},
    "veto": {"rejected"},
}


@pytest.fixture
def proxy():
    origins = [QuickOrigin(f"s{i}") for i in (1, 2, 3)]
    proxy = enforced_proxy([origin.address for origin in origins], config={"observe": {"access_log": {"path": "off"}}})
    yield proxy.start()
    proxy.discard()
    for origin in origins:
        origin.stop()


def check(proxy, book, round_):
    """What must hold right after a start."""
    ann = proxy.as_("ann")
    status = ann.get("/v1/status").json()
    assert status["integrity"] == "ok", (round_, status)
    assert status.get("pending_confirm") is None, (round_, status)
    assert status["running"]["rev"] == status["boot"]["rev"], (round_, status)
    for change, said in list(book.states.items()):
        what = book.under_way.get(change)
        now = ann.get(f"/v1/changes/{change}").json().get("state")
        allowed = STAYS[said] | BECOMES[what]
        if said in ("confirming", "applied") and what == "confirm":
            allowed |= BECOMES["confirm"]
        assert now in allowed, f"kill {round_}: {change} was {said}, {what or 'nothing'} was under way, and now it is {now}"
        if now in ("applied", "rolled_back", "withdrawn", "rejected", "failed", "expired"):
            del book.states[change]       # nothing more can become of it
        else:
            book.states[change] = now
        book.found[f"{said}, {what or 'nothing'}: {now}"] += 1
    book.under_way.clear()
    revision = ann.get(f"/v1/revisions/{status['running']['rev']}").json()
    made_by = revision.get("change")
    if made_by:
        assert ann.get(f"/v1/changes/{made_by}").json()["state"] in ("applied", "rolled_back"), (round_, revision)
    problems = verify(proxy.state_dir)
    assert not problems, (round_, problems)
    assert get(proxy.address).status == 200


def go_on(proxy, book):
    """An approval of before the kill is still one."""
    ann = proxy.as_("ann")
    running = ann.get("/v1/status").json()["running"]["rev"]
    # One that was made for a revision that was rolled back since has to be rebased.
    approved = [change for change, state in book.states.items()
                if state == "approved" and ann.change(change)["base"]["rev"] == running]
    for change in approved[:1]:
        ann.apply({"id": change})
        ann.confirm({"id": change})
        assert ann.change(change)["state"] == "applied"
        del book.states[change]
        book.found["approved before, applied after"] += 1


@pytest.mark.timeout(60 + 8 * KILLS)
@pytest.mark.slow
def test_nothing_is_lost(proxy):
    print(f"TWOKEY_SEED={SEED}")
    chance = random.Random(SEED)
    book = Book()
    starts_cut = 0
    for round_ in range(KILLS):
        people = [Person("ann", "bob", proxy, book, chance.random()), Person("bob", "ann", proxy, book, chance.random())]
        load = Load(proxy.address, 4).start()
        for person in people:
            person.start()
        time.sleep(chance.uniform(0, 0.6))       # the moment is what is tested
        proxy.kill9()
        for person in people:
            person.end()
        load.stop()
        assert set(load.statuses) <= {200}
        while chance.random() < 0.25:            # and again, while it starts
            proxy._spawn()
            time.sleep(chance.uniform(0, 0.08))
            proxy.kill9()
            starts_cut += 1
        proxy.start(attempts=1)
        check(proxy, book, round_)
        if chance.random() < 0.3:
            go_on(proxy, book)
    print(f"{KILLS} kills under load, {starts_cut} during a start, {book.answers} answers, "
          f"{proxy.as_('dan').get('/v1/audit/head').json()}")
    print("\n".join(f"{count:6} {what}" for what, count in sorted(book.found.items())))
    assert book.answers > KILLS
    proxy.stop()
    assert verify(proxy.state_dir) == []
