"""Rollback: one person, one call, a new revision; never the people or the policy of then."""
import pytest

from support.client import get
from support.origin import named
from support.people import hash_of, make_token

NEXT = {"routes": {"everything": {"pool": "next"}}}


@pytest.fixture
def proxy(make_origin, make_enforced):
    old, new = make_origin(named("old")), make_origin(named("new"))
    return make_enforced([old], config={"pools": {"next": {"servers": {"n1": {"address": new.address}}}}})


def run(proxy, patch, **fields):
    change = proxy.as_("ann").submit(patch, **fields)
    proxy.approve_fully(change)
    proxy.as_("ann").apply(change)
    return proxy.as_("ann").confirm(change)


def test_previous_needs_nobody_else_and_no_confirmation(proxy):
    first = proxy.status()["running"]["rev"]
    run(proxy, NEXT)
    second = proxy.status()["running"]["rev"]
    said = proxy.as_("ann").post("/v1/rollback", {"to": "previous", "reason": "it was better"})
    assert said.status == 200, said.body
    back = said.json()
    assert back["rev"] > second and back["to"] == first and back["from"] == second and back["undurable"] is False
    status = proxy.status()
    assert get(proxy.address).body == b"old"
    assert status["running"]["rev"] == status["boot"]["rev"] == back["rev"] and status["pending_confirm"] is None
    assert status["running"]["digest"] == back["digest"]
    proxy.stop()
    proxy.start()
    assert get(proxy.address).body == b"old" and proxy.status()["running"]["rev"] == back["rev"]


def test_asked_twice_it_is_still_back(proxy):
    run(proxy, NEXT)
    assert proxy.as_("ann").post("/v1/rollback", {"to": "previous"}).status == 200
    again = proxy.as_("bob").post("/v1/rollback", {"to": "previous"})
    assert again.status == 409, again.body
    assert get(proxy.address).body == b"old"


def test_it_ends_what_waits_for_confirmation(proxy):
    change = proxy.as_("ann").submit(NEXT)
    proxy.approve_fully(change)
    proxy.as_("ann").apply(change)
    said = proxy.as_("bob").post("/v1/rollback", {"to": "previous", "reason": "no"})
    assert said.status == 200 and said.json()["ended"] == change["id"], said.body
    assert proxy.as_("ann").change(change)["state"] == "rolled_back"
    assert proxy.status()["pending_confirm"] is None and get(proxy.address).body == b"old"


def test_lkg_is_earned(proxy):
    refused = proxy.as_("ann").post("/v1/rollback", {"to": "lkg"})
    assert refused.status == 404 and "30 minutes" in refused.json()["detail"]


def test_an_older_revision_is_a_change_that_others_approve(proxy):
    first = proxy.status()["running"]["rev"]
    run(proxy, NEXT)
    run(proxy, {"pools": {"app": {"slow_start": "1s"}}})
    said = proxy.as_("ann").post("/v1/rollback", {"to": first, "reason": "long ago it was well"})
    assert said.status in (200, 202), said.body
    change = said.json()
    assert change["state"] == "pending" and change["class"] == 3 and get(proxy.address).body == b"new"
    proxy.approve_fully(change)
    proxy.as_("ann").apply(change)
    proxy.as_("ann").confirm(change)
    assert get(proxy.address).body == b"old"


def test_a_revoked_token_stays_revoked(proxy):
    """The old revision has a token of eve's that was taken out since."""
    token = make_token("eve")
    run(proxy, {"people": {"eve": {"roles": ["viewer"], "tokens": [{"id": "x", "hash": hash_of(token)}]}}})
    eve = proxy.with_token(token)
    assert eve.get("/v1/status").status == 200
    run(proxy, {"people": {"eve": None}, "routes": NEXT["routes"]}, deletes=["/people/eve"])
    assert eve.get("/v1/status").status == 401
    assert proxy.as_("ann").post("/v1/rollback", {"to": "previous"}).status == 200
    assert get(proxy.address).body == b"old", "the traffic of then"
    assert eve.get("/v1/status").status == 401, "the people of now"


def test_what_one_person_may_not(proxy):
    assert proxy.as_("cat").post("/v1/rollback", {"to": "previous"}).status == 403
    assert proxy.as_("ann").post("/v1/rollback", {"to": "4711"}).status == 404
    assert proxy.as_("ann").post("/v1/rollback", {"to": "the one before"}).status == 404
