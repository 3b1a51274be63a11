"""200 people and services hammer the API at once: no edit is lost, nothing is applied twice, the audit chain verifies.

TWOKEY_HAMMER_S=60 makes it last a minute (8 s in the suite, and until something was applied).  What requests through the proxy
notice of it is printed.
"""
import collections
import http.client
import json
import os
import random
import subprocess
import sys
import threading
import time

import pytest
from support.bounds import SCALE
from support.chain import audit_lines, verified
from support.load import QuickOrigin

SECONDS = float(os.environ.get("TWOKEY_HAMMER_S", "8"))
LONGER = 60  # on a machine that is busy with other things
PEOPLE, SERVICES, OPEN = 150, 50, 12
ENDED = ("applied", "rolled_back", "failed", "rejected", "withdrawn", "expired")


def roles():
    named = {f"p{n}": ["author", "operator", "approver"] for n in range(PEOPLE)}
    named.update({f"s{n}": ["author", "operator"] for n in range(SERVICES)})
    named["ann"] = ["author", "operator", "approver", "auditor"]
    named["bob"] = ["approver"]
    return named


class Hammer:
    """What all of them know and count, under one lock."""

    def __init__(self, proxy):
        self.proxy = proxy
        self.until = time.monotonic() + SECONDS
        self.has_applied = False
        self.lock = threading.Lock()
        self.ids = []                           # of changes that are not at their end
        self.making = 0
        self.statuses = collections.Counter()
        self.edits = collections.Counter()      # successful ones, by change
        self.made = []                          # (idempotency key, id), each key sent twice
        self.wrong = []

    def goes_on(self):
        now = time.monotonic()
        return not self.wrong and (now < self.until or not self.has_applied and now < self.until + LONGER)

    def note(self, **found):
        with self.lock:
            for name, value in found.items():
                getattr(self, name).append(value)


class Person(threading.Thread):
    def __init__(self, hammer, name, number):
        super().__init__()
        self.hammer, self.name_of, self.dice = hammer, name, random.Random(number)
        host, _, port = hammer.proxy.admin_address.rpartition(":")
        self.connection = http.client.HTTPConnection(host, int(port), timeout=60 * SCALE)  # behind 199 others
        self.count = 0

    def call(self, method, path, body=None, **headers):
        sent = {"Authorization": f"Bearer {self.hammer.proxy.tokens[self.name_of]}"}
        sent.update({key.replace("_", "-"): value for key, value in headers.items()})
        self.connection.request(method, path, json.dumps(body) if body is not None else None, sent)
        reply = self.connection.getresponse()
        text = reply.read()
        with self.hammer.lock:
            self.hammer.statuses[reply.status] += 1
        if reply.status >= 500:
            self.hammer.note(wrong=(method, path, reply.status, text[:300]))
        return reply.status, json.loads(text) if text else None

    def make(self):
        self.count += 1
        key = f"{self.name_of}-{self.count}"
        server = self.dice.choice(["s1", "s2", "s3"])
        body = {"title": f"{key} turns {server}", "reason": "a hammer",
                "patch": {"pools": {"app": {"servers": {server: {"weight": self.dice.randint(90, 110)}}}}}}
        first = self.call("POST", "/v1/changes", body, Idempotency_Key=key)
        again = self.call("POST", "/v1/changes", body, Idempotency_Key=key)
        if first[0] == 201:
            if again != first:
                self.hammer.note(wrong=("repeat", first, again))
            with self.hammer.lock:
                self.hammer.made.append(first[1]["id"])
                self.hammer.ids.append(first[1]["id"])

    def choose(self):
        """One of the open changes; None: it is this one's turn to make another."""
        with self.hammer.lock:
            if len(self.hammer.ids) + self.hammer.making < OPEN:
                self.hammer.making += 1
                return None
            return self.dice.choice(self.hammer.ids) if self.hammer.ids else ""

    def forget(self, change_id):
        with self.hammer.lock:
            if change_id in self.hammer.ids:
                self.hammer.ids.remove(change_id)

    def edit(self, change):
        status, _ = self.call("PATCH", f"/v1/changes/{change['id']}", {"title": f"{self.name_of} was here {self.count}"},
                              If_Match=f'"{change["etag"]}"')
        if status == 200:
            with self.hammer.lock:
                self.hammer.edits[change["id"]] += 1

    def step(self):
        dice, change_id = self.dice.random(), self.choose()
        if change_id is None:
            try:
                self.make()
            finally:
                with self.hammer.lock:
                    self.hammer.making -= 1
            return
        if not change_id:
            time.sleep(0.01)
            return
        status, change = self.call("GET", f"/v1/changes/{change_id}")
        if status != 200:
            return
        path = f"/v1/changes/{change_id}"
        if change["state"] == "draft":
            self.edit(change) if dice < 0.4 else self.call("POST", path + "/submit")
        elif change["state"] == "pending":
            self.call("POST", path + "/approvals", {"digest": change["digest"], "decision": "approve", "comment": "hammer"})
        elif change["state"] == "approved":
            status, _ = self.call("POST", path + "/apply")
            self.hammer.has_applied = self.hammer.has_applied or status < 300
        elif change["state"] == "confirming":
            self.call("POST", path + ("/cancel" if dice < 0.3 else "/confirm"))
        elif change["state"] == "stale":
            self.call("POST", path + ("/rebase" if dice < 0.6 else "/withdraw"))
        elif change["state"] in ENDED:
            self.forget(change_id)

    def run(self):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)  # the callers are no part of what is measured
        try:
            while self.hammer.goes_on():
                self.step()
        except (OSError, http.client.HTTPException, ValueError) as fault:
            self.hammer.note(wrong=(self.name_of, repr(fault)))
        finally:
            self.connection.close()


# A process of its own, so that what it measures is the proxy's doing and not that of the threads above:
# one request after the other, until its input ends; then how long each took, as JSON.
TRAFFIC = r"""
import http.client, json, select, sys, time
connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=30)
took, broken = [], []
while not select.select([sys.stdin], [], [], 0.002)[0]:
    began = time.monotonic()
    connection.request("GET", "/")
    reply = connection.getresponse()
    reply.read()
    took.append(time.monotonic() - began)
    if len(took) == 1:
        print("begun", flush=True)
    if reply.status != 200:
        broken.append(reply.status)
print(json.dumps([took, broken]))
"""


def measured(proxy, during):
    """The p99 of requests through the proxy, in milliseconds, while `during` runs."""
    host, _, port = proxy.address.rpartition(":")
    traffic = subprocess.Popen([sys.executable, "-c", TRAFFIC, host, port], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert traffic.stdout.readline() == "begun\n"  # Python may take seconds to start
    try:
        during()
    finally:
        said, _ = traffic.communicate("", timeout=60)
    took, broken = json.loads(said)
    assert not broken, broken[:5]
    return sorted(took)[int(len(took) * 0.99)] * 1000


def run_all(hammer):
    crowd = [Person(hammer, name, number) for number, name in enumerate(name for name in roles() if name[0] in "ps")]
    for person in crowd:
        person.start()
    for person in crowd:
        person.join()


@pytest.mark.timeout(120 + LONGER + 3 * SECONDS)
def test_no_edit_is_lost_and_nothing_is_applied_twice(make_enforced):
    origins = [QuickOrigin(name) for name in ("s1", "s2", "s3")]
    try:
        services = {f"s{n}": {"kind": "service", "owner": f"p{n}"} for n in range(SERVICES)}
        proxy = make_enforced(origins, roles=roles(), config={"people": services})
        quiet = measured(proxy, lambda: time.sleep(2))
        hammer = Hammer(proxy)
        busy = measured(proxy, lambda: run_all(hammer))
    finally:
        for origin in origins:
            origin.stop()
    print(f"{sum(hammer.statuses.values())} calls in {SECONDS:g} s, {dict(hammer.statuses)}; "
          f"p99 through the proxy: {quiet:.1f} ms alone, {busy:.1f} ms meanwhile, ratio {busy / quiet:.1f}")
    assert not hammer.wrong, hammer.wrong[:3]

    ann = proxy.as_("ann")
    records = verified(audit_lines(ann))
    by_event = collections.defaultdict(collections.Counter)
    for record in records:
        if record["outcome"] == "ok":
            by_event[record["event"]][record.get("change")] += 1
    assert len(set(hammer.made)) == len(hammer.made), "a key made two changes"
    assert by_event["change.created"] == collections.Counter(hammer.made)
    for change_id, count in hammer.edits.items():
        assert by_event["change.edited"][change_id] == count, "an edit was answered and is not there"
    applied = by_event["change.confirming"]
    assert set(applied.values()) <= {1}, "a change was applied twice"
    revisions, path = [], "/v1/revisions?limit=200"
    while path:
        answer = ann.get(path)
        revisions += answer.json()["revisions"]
        path = answer.headers["Link"].split("<")[1].split(">")[0] if "Link" in answer.headers else None
    changes = [revision["change"] for revision in revisions if revision["change"]]
    assert len(set(changes)) == len(changes), "two revisions of one change"
    assert set(applied) <= set(changes)
    for change_id in applied:
        mine = [record["event"] for record in records if record.get("change") == change_id and record["outcome"] == "ok"]
        since_edit = mine[max((i for i, event in enumerate(mine) if event in ("change.edited", "change.rebased", "change.created")),
                              default=0):]
        assert "change.approved" in since_edit[:since_edit.index("change.confirming")], (change_id, mine)
    assert applied, "nothing was applied: the hammer was no test"
