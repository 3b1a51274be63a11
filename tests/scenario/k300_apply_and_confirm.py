"""What is applied waits to be confirmed: not before min_bake, not after the deadline, once."""
import time

import pytest

from support.client import get
from support.origin import named


@pytest.fixture
def make_two(make_origin, make_enforced):
    """A proxy that sends everything to `old`, and the patch that sends it to `new`."""
    def make(**options):
        old, new = make_origin(named("old")), make_origin(named("new"))
        pools = {"next": {"servers": {"n1": {"address": new.address}}}}
        return make_enforced([old], config={"pools": pools}, **options), {"routes": {"everything": {"pool": "next"}}}
    return make


def approved(proxy, patch, **fields):
    change = proxy.as_("ann").submit(patch, **fields)
    proxy.approve_fully(change)
    return change


def test_too_early_says_when(make_two):
    proxy, patch = make_two(policy={"confirm": {"min_bake": "2s", "deadline": "60s"}})
    ann = proxy.as_("ann")
    change = approved(proxy, patch)
    began = time.monotonic()
    ann.apply(change)
    early = ann.post(f"/v1/changes/{change['id']}/confirm")
    assert early.status == 409 and early.json()["type"].endswith("/too-early")
    assert early.json()["wait_ms"] <= 2000 and early.json()["at"]
    waited = ann.post(f"/v1/changes/{change['id']}/confirm?wait=20s")
    assert waited.status == 200 and waited.json()["state"] == "applied"
    assert time.monotonic() - began >= 1.9
    assert ann.post(f"/v1/changes/{change['id']}/confirm").status == 409, "once is enough"


def test_an_author_does_not_undercut_the_policy(make_two):
    proxy, patch = make_two(policy={"confirm": {"min_bake": "5s", "deadline": "60s"}})
    short = {"title": "t", "reason": "r", "patch": patch, "confirm": {"min_bake": "0s", "deadline": "2s"}}
    made = proxy.as_("ann").post("/v1/changes?submit=true", short)
    if made.status == 422:
        return
    change = made.json()
    proxy.approve_fully(change)
    proxy.as_("ann").apply(change)
    assert proxy.as_("ann").post(f"/v1/changes/{change['id']}/confirm").json()["type"].endswith("/too-early")


def test_the_deadline_takes_it_back(make_two):
    proxy, patch = make_two(policy={"confirm": {"min_bake": "0s", "deadline": "2s"}})
    before = proxy.status()["running"]
    change = approved(proxy, patch)
    proxy.as_("ann").apply(change)
    assert get(proxy.address).body == b"new"
    proxy.wait_for(lambda: proxy.as_("ann").change(change)["state"] == "rolled_back")
    assert get(proxy.address).body == b"old"
    proxy.wait_for(lambda: proxy.status()["running"]["rev"] == before["rev"])  # all workers have it
    now = proxy.status()["running"]
    assert now["digest"] == before["digest"] and now["generation"] > before["generation"] + 1
    assert proxy.status()["pending_confirm"] is None
    assert proxy.as_("ann").post(f"/v1/changes/{change['id']}/apply").status == 409, "its approvals were used up"


def test_nothing_else_is_applied_meanwhile(make_two):
    proxy, patch = make_two()
    first, second = approved(proxy, patch), approved(proxy, {"pools": {"app": {"slow_start": "1s"}}})
    proxy.as_("ann").apply(first)
    refused = proxy.as_("bob").post(f"/v1/changes/{second['id']}/apply")
    assert refused.status == 409 and refused.json()["type"].endswith("/confirm-pending")
    assert refused.json()["change"] == first["id"] and refused.json()["deadline"]
    proxy.as_("bob").post(f"/v1/changes/{first['id']}/cancel")
    assert proxy.as_("ann").change(second)["state"] == "approved", "what is rolled back kills nobody's work"
    proxy.as_("bob").apply(second)
    proxy.as_("bob").confirm(second)


def test_what_was_applied_makes_the_others_stale(make_two):
    proxy, patch = make_two()
    first, second = approved(proxy, patch), approved(proxy, {"pools": {"app": {"slow_start": "1s"}}})
    ann = proxy.as_("ann")
    ann.apply(first)
    assert ann.change(second)["state"] == "approved"
    ann.confirm(first)
    assert ann.change(second)["state"] == "stale"
    refused = ann.post(f"/v1/changes/{second['id']}/apply")
    assert refused.status == 412 and refused.json()["type"].endswith("/base-stale")


def test_it_is_answered_when_new_pools_have_been_checked(make_origin, make_enforced):
    old, new = make_origin(named("old")), make_origin(named("new"))
    proxy = make_enforced([old])
    pool = {"servers": {"n1": {"address": new.address}}, "health_check": {"path": "/", "interval": "1s", "timeout": "1s"}}
    change = proxy.as_("ann").submit({"pools": {"next": pool}, "routes": {"everything": {"pool": "next"}}})
    proxy.approve_fully(change)
    proxy.as_("ann").apply(change)
    assert new.requests, "its first check was awaited"
    assert proxy.as_("ann").get("/v1/pools/next").json()["servers"][0]["oper"]["health"] in ("up", "unknown")


def test_who_may_confirm(make_two):
    proxy, patch = make_two(roles={"ann": ["author", "operator"], "bob": ["approver"], "cat": ["approver"],
                                   "dan": ["approver"], "eve": ["viewer", "auditor"]})
    change = approved(proxy, patch)
    proxy.as_("ann").apply(change)
    assert proxy.as_("eve").post(f"/v1/changes/{change['id']}/confirm").status == 403
    assert proxy.as_("bob").post(f"/v1/changes/{change['id']}/cancel").status == 403
    proxy.as_("bob").confirm(change)
