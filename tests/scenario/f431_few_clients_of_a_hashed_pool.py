"""A share of few connections, each bound to a server by what is hashed: that it is not spread evenly says nothing."""
import threading

import pytest

from support.client import Client
from support.origin import named

USERS, PERCENT = 60, 5


class User(threading.Thread):
    """One connection with a name of its own, a request after the other."""

    def __init__(self, address, name, ended):
        super().__init__()
        self.address, self.name, self.ended = address, name, ended

    def run(self):
        with Client(self.address) as client:
            while not self.ended.wait(0.1):
                client.request(target="/", headers={"x-user": self.name})


@pytest.mark.waits
@pytest.mark.timeout(150)
def test_it_is_not_taken_back(make_origin, make_enforced):
    proxy = make_enforced([make_origin(named(f"s{i}")) for i in range(8)], process={"workers": 1},
                          pool={"balance": "maglev", "hash_on": "header:x-user"})
    ended = threading.Event()
    users = [User(proxy.address, f"user-{number}", ended) for number in range(USERS)]
    for user in users:
        user.start()
    try:
        change = proxy.as_("ann").submit({"pools": {"app": {"retry": {"attempts": 2}}}}, rollout=[{"percent": PERCENT, "for": "10m"}])
        proxy.approve_fully(change)
        proxy.as_("ann").apply(change)
        seen = []  # readings, by the numbers in them

        def has_been_read():
            now = proxy.as_("ann").change(change["id"])
            reading = {one["name"]: one["why"] for one in (now["gate"] or {"inputs": []})["inputs"]}.get("distribution")
            seen.extend([reading] if reading not in seen else [])
            return now["state"] != "confirming" or len(seen) > 5

        proxy.wait_for(has_been_read, timeout=100)
        now = proxy.as_("ann").change(change["id"])
        assert now["state"] == "confirming", now["ended_why"]
        reading = {one["name"]: one for one in now["gate"]["inputs"]}["distribution"]
        assert reading["fails"] == 0, reading
    finally:
        ended.set()
        for user in users:
            user.join()
