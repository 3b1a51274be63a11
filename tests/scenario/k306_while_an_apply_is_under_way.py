"""An apply waits for the first checks of a new pool: what others ask meanwhile, and a stop."""
import threading

import pytest

from support.client import get
from support.origin import named, stall


@pytest.fixture
def slow(make_origin, make_enforced):
    """(proxy, change): its apply takes until a check that is never answered has timed out."""
    old, new = make_origin(named("old")), make_origin(stall())
    proxy = make_enforced([old])
    pool = {"servers": {"n1": {"address": new.address}},
            "health_check": {"path": "/", "interval": "3s", "timeout": "3s", "fall": 1}}
    change = proxy.as_("ann").submit({"pools": {"next": pool}, "routes": {"other": {"path_prefix": "/other", "pool": "next"}}})
    proxy.approve_fully(change)
    return proxy, change


def begin(proxy, change):
    """Its answer, once the thread is joined."""
    answers = []

    def apply():
        try:
            answers.append(proxy.as_("ann").post(f"/v1/changes/{change['id']}/apply"))
        except OSError as error:
            answers.append(error)

    thread = threading.Thread(target=apply)
    thread.start()
    proxy.wait_for(lambda: proxy.status()["pending_confirm"] is not None)
    return thread, answers


def test_another_apply_is_told(slow):
    proxy, change = slow
    other = proxy.as_("ann").submit({"pools": {"app": {"slow_start": "1s"}}})
    proxy.approve_fully(other)
    thread, answers = begin(proxy, change)
    refused = proxy.as_("bob").post(f"/v1/changes/{other['id']}/apply")
    assert refused.status == 409, refused.body
    early = proxy.as_("bob").post(f"/v1/changes/{change['id']}/confirm")
    assert early.status == 409, early.body
    thread.join()
    assert answers[0].status == 200 and answers[0].json()["state"] == "confirming", answers[0].body
    assert proxy.as_("bob").change(other)["state"] == "approved"


def test_a_rollback_comes_right_after_it(slow):
    proxy, change = slow
    before = proxy.status()["running"]["digest"]
    thread, answers = begin(proxy, change)
    back = proxy.as_("bob").post("/v1/rollback", {"to": "previous", "reason": "no"})
    thread.join()
    assert back.status == 200 and back.json()["ended"] == change["id"], back.body
    assert proxy.status()["running"]["digest"] == before and proxy.status()["pending_confirm"] is None
    assert proxy.as_("ann").change(change)["state"] == "rolled_back" and get(proxy.address).body == b"old"


def test_a_stop_in_the_middle(slow):
    proxy, change = slow
    thread, answers = begin(proxy, change)
    proxy.stop()
    thread.join()
    proxy.start()
    assert proxy.as_("ann").change(change)["state"] == "rolled_back"
    assert get(proxy.address).body == b"old" and proxy.status()["running"]["rev"] == 1


def test_a_caller_who_leaves_changes_nothing(slow):
    """The apply goes on; asked again, it is the same one."""
    proxy, change = slow
    with pytest.raises(OSError):
        proxy.as_("ann").post(f"/v1/changes/{change['id']}/apply", timeout=0.5)
    again = proxy.as_("ann").post(f"/v1/changes/{change['id']}/apply")
    assert again.status == 200 and again.json()["rev"] == 2, again.body
    proxy.as_("ann").confirm(change)
    assert proxy.status()["boot"]["rev"] == 2
