"""
kill -9 at random moments, under changes by two people and under traffic: after each start every change is in a state
that its table allows, none that was approved is lost, the chain verifies, and traffic goes on with what `boot` names.

TWOKEY_KILLS says how often (25 when left out), TWOKEY_SEED repeats a run as far as chance allows.
"""
import collections
import http.client
import os
import random
import threading
import time

import pytest

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


class Killed(Exception):
    """No answer: the process is gone."""


class Book:
    """What was answered."""

    def __init__(self):
        self.lock = threading.Lock()
        self.states = {}       # id: the state that was answered last
        self.under_way = {}    # id: the call without an answer yet
        self.answers = 0
        self.found = collections.Counter()


class Person(threading.Thread):
    def __init__(self, name, other, proxy, book, seed):
        super().__init__(daemon=True)
        self.person = name
        self.me, self.other = proxy.as_(name), proxy.as_(other)
        self.book = book
        self.random = random.Random(seed)
        self.is_over = False
        self.fault = None

    def run(self):
        try:
            while not self.is_over:
                self.one_change()
        except Killed:
            pass
        except Exception as fault:  # shown by the test
            self.fault = fault

    def call(self, who, change, what, path, body=None):
        """One call about a change; its answer moves the book."""
        with self.book.lock:
            self.book.under_way[change] = what
        try:
            answer = who.post(path, body)
        except (OSError, http.client.HTTPException) as gone:
            raise Killed from gone
        assert answer.status < 500 or answer.status == 503, f"{what}: {answer.status} {answer.body}"
        with self.book.lock:
            self.book.answers += 1
            self.book.under_way.pop(change, None)
            if answer.status < 300 and "state" in answer.json():
                self.book.states[change] = answer.json()["state"]
        return answer

    def create(self):
        patch = {"pools": {"app": {"servers": {f"s{self.random.randint(1, 3)}": {"weight": self.random.randint(96, 104)}}}}}
        try:
            answer = self.me.post("/v1/changes" + self.random.choice(["?submit=true", "?submit=true", ""]),
                                  {"title": "t", "reason": "r", "patch": patch})
        except (OSError, http.client.HTTPException) as gone:
            raise Killed from gone
        if answer.status == 429:
            for change in self.me.get("/v1/changes?limit=100").json()["changes"]:
                if change["state"] in ("draft", "pending", "approved", "stale") and change["author"] == self.person:
                    self.call(self.me, change["id"], "withdraw", f"/v1/changes/{change['id']}/withdraw", {"reason": "room"})
            return None
        assert answer.status == 201, f"{answer.status} {answer.body}"
        change = answer.json()
        with self.book.lock:
            self.book.states[change["id"]] = change["state"]
        return change

    def one_change(self):
        try:
            change = self.create()
            if change is None or change["state"] == "draft":
                return
            path = f"/v1/changes/{change['id']}"
            if self.random.random() < 0.1:
                self.call(self.other, change["id"], "veto", path + "/approvals",
                          {"digest": change["digest"], "decision": "veto", "comment": "no"})
                return
            if self.random.random() < 0.1:
                return
            self.call(self.other, change["id"], "approve", path + "/approvals",
                      {"digest": change["digest"], "decision": "approve", "comment": "yes"})
            # An approval is answered with itself: the change is asked for.
            with self.book.lock:
                if self.book.states[change["id"]] == "pending":
                    self.book.under_way[change["id"]] = "approve"
            shown = self.me.get(path).json()
            with self.book.lock:
                self.book.states[change["id"]] = shown["state"]
                self.book.under_way.pop(change["id"], None)
            if self.random.random() < 0.15:
                return
            if self.call(self.me, change["id"], "apply", path + "/apply").status >= 300:
                return
            self.after(change, path)
        except (OSError, http.client.HTTPException) as gone:
            raise Killed from gone

    def after(self, change, path):
        """It runs, and waits to be confirmed."""
        what = self.random.choice(["confirm", "confirm", "confirm", "cancel", "rollback", "nothing"])
        if what == "confirm":
            self.call(self.me, change["id"], "confirm", path + "/confirm")
        elif what == "cancel":
            self.call(self.me, change["id"], "cancel", path + "/cancel", {"reason": "a test"})
        elif what == "rollback":
            with self.book.lock:
                self.book.under_way[change["id"]] = "cancel"
            self.me.post("/v1/rollback", {"to": "previous", "reason": "a test"})
            shown = self.me.get(path).json()
            with self.book.lock:
                self.book.states[change["id"]] = shown["state"]
                self.book.under_way.pop(change["id"], None)


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
            person.is_over = True
            person.join(30)
            assert not person.is_alive()
            if person.fault is not None:
                raise person.fault
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
