"""
Two people who change the configuration all the time, and a book of what was answered.

    book = Book()
    people = [Person("ann", "bob", proxy, book, seed), Person("bob", "ann", proxy, book, seed + 1)]
    for person in people: person.start()
    ...
    for person in people: person.end()       # raises what went wrong
"""
import collections
import http.client
import random
import threading


class Killed(Exception):
    """No answer: the process is gone."""


class Book:
    """What was answered."""

    def __init__(self):
        self.lock = threading.Lock()
        self.states = {}       # id: the state that was answered last
        self.under_way = {}    # id: the call without an answer yet
        self.answers = 0
        self.refused = 0       # for want of a disk
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

    def end(self):
        """After the call under way; raises what went wrong."""
        self.is_over = True
        self.join(30)
        assert not self.is_alive()
        if self.fault is not None:
            raise self.fault

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
            self.book.refused += answer.status == 503
            if answer.status < 300:
                self.book.under_way.pop(change, None)
                if "state" in answer.json():
                    self.book.states[change] = answer.json()["state"]
        if answer.status >= 300:
            self.look(change)
        return answer

    def look(self, change):
        """What it is after a call that does not tell, or that was refused."""
        try:
            state = self.me.get(f"/v1/changes/{change}").json()["state"]
        except (OSError, http.client.HTTPException) as gone:
            raise Killed from gone
        with self.book.lock:
            self.book.states[change] = state
            self.book.under_way.pop(change, None)

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
        if answer.status == 503:
            self.book.refused += 1
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
            self.look(change["id"])
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
            self.look(change["id"])
