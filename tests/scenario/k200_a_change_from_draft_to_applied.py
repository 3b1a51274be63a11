"""A change over HTTP, step by step: draft, edited, submitted, approved by another person, applied, confirmed."""
import hashlib

from support.client import get
from support.origin import named


def two_pools(make_origin, make_enforced, **options):
    old, new = make_origin(named("old")), make_origin(named("new"))
    proxy = make_enforced([old], config={"pools": {"next": {"servers": {"n1": {"address": new.address}}}}}, **options)
    return proxy, {"routes": {"everything": {"pool": "next"}}}


def test_traffic_moves_when_two_people_have_agreed(make_origin, make_enforced):
    proxy, patch = two_pools(make_origin, make_enforced)
    ann, bob = proxy.as_("ann"), proxy.as_("bob")
    made = ann.post("/v1/changes", {"title": "to next", "reason": "a test", "ticket": "T-1", "patch": patch})
    change = made.json()
    assert made.status == 201 and made.headers["Location"] == f"/v1/changes/{change['id']}"
    assert made.headers["ETag"] == f'"{change["etag"]}"'
    assert change["id"].startswith("chg_") and change["state"] == "draft" and change["iteration"] == 1
    assert (change["title"], change["reason"], change["ticket"], change["author"]) == ("to next", "a test", "T-1", "ann")
    assert change["base"]["digest"] == proxy.status()["running"]["digest"] and change["digest"] is None

    path = f"/v1/changes/{change['id']}"
    edited = ann.patch(path, {"title": "to next, said better"}, headers={"If-Match": made.headers["ETag"]}).json()
    assert edited["iteration"] == 2 and edited["title"] == "to next, said better" and edited["etag"] != change["etag"]
    pending = ann.post(path + "/submit").json()
    assert pending["state"] == "pending" and pending["class"] >= 2 and pending["approvals"]["required"] >= 1
    assert "bob" in pending["approvals"]["who_can"] and "ann" not in pending["approvals"]["who_can"]
    assert get(proxy.address).body == b"old"

    bound = proxy.as_("bob").get(path + "/bound")
    assert "sha256:" + hashlib.sha256(b"twokey-change-v1\n" + bound.body.encode()).hexdigest() == pending["digest"]
    approvers = [proxy.as_(person) for person in pending["approvals"]["who_can"]][:pending["approvals"]["required"]]
    for approver in approvers:
        said = approver.post(path + "/approvals", {"digest": pending["digest"], "decision": "approve", "comment": "read"})
        assert said.status == 200, said.body
    approved = bob.change(change["id"])
    assert approved["state"] == "approved" and len(approved["approvals"]["given"]) == len(approvers)
    assert approved["expires"] is not None

    applied = ann.post(path + "/apply")
    assert applied.status == 200, applied.body
    assert applied.json()["state"] == "confirming" and applied.json()["deadline"] and "/confirm" in applied.json()["command"]
    assert any(call.endswith("/confirm") for call in applied.json()["next"])
    assert get(proxy.address).body == b"new"
    status = proxy.status()
    assert status["pending_confirm"]["change"] == change["id"] and status["boot"]["rev"] < status["running"]["rev"]

    done = ann.post(path + "/confirm?wait=20s")
    assert done.status == 200 and done.json()["state"] == "applied", done.body
    status = proxy.status()
    assert status["pending_confirm"] is None and status["boot"]["rev"] == status["running"]["rev"]
    assert status["running"]["change"] == change["id"]


def test_dry_run_makes_nothing(make_origin, make_enforced):
    proxy, patch = two_pools(make_origin, make_enforced)
    ann = proxy.as_("ann")
    tried = ann.post("/v1/changes?dry_run=true", {"title": "x", "reason": "y", "patch": patch})
    assert tried.status == 200 and "Location" not in tried.headers, tried.body
    assert ann.get("/v1/changes").json()["changes"] == []
    wrong = ann.post("/v1/changes?dry_run=true", {"title": "x", "reason": "y", "patch": {"routes": {"everything": {"pool": "none"}}}})
    assert wrong.status == 200 and any(f["severity"] == "block" for f in wrong.json()["findings"])


def test_a_draft_may_have_findings_but_is_not_submitted_with_them(make_origin, make_enforced):
    proxy, _ = two_pools(make_origin, make_enforced)
    ann = proxy.as_("ann")
    body = {"title": "x", "reason": "y", "patch": {"routes": {"everything": {"pool": "none"}}}}
    draft = ann.post("/v1/changes", body)
    assert draft.status == 201 and draft.json()["findings"]
    refused = ann.post(f"/v1/changes/{draft.json()['id']}/submit")
    assert refused.status == 422 and refused.json()["type"].endswith("/findings-block") and refused.json()["errors"]
    at_once = ann.post("/v1/changes?submit=true", body)
    assert at_once.status == 422
    assert len(ann.get("/v1/changes").json()["changes"]) == 1


def test_cancel_and_rollback_bring_back_what_ran(make_origin, make_enforced):
    proxy, patch = two_pools(make_origin, make_enforced)
    ann = proxy.as_("ann")
    change = ann.submit(patch)
    proxy.approve_fully(change)
    ann.apply(change)
    assert get(proxy.address).body == b"new"
    cancelled = proxy.as_("bob").post(f"/v1/changes/{change['id']}/cancel", {"reason": "no"})
    assert cancelled.status == 200 and cancelled.json()["state"] == "rolled_back", cancelled.body
    assert get(proxy.address).body == b"old"

    again = ann.submit(patch)
    proxy.approve_fully(again)
    ann.apply(again)
    ann.confirm(again)
    assert get(proxy.address).body == b"new"
    back = proxy.as_("bob").post("/v1/rollback", {"to": "previous", "reason": "it was better"})
    assert back.status == 200, back.body
    assert get(proxy.address).body == b"old"
    assert proxy.status()["running"]["rev"] > again["base"]["rev"]


def test_extend_moves_the_deadline(make_origin, make_enforced):
    proxy, patch = two_pools(make_origin, make_enforced)
    ann = proxy.as_("ann")
    change = ann.submit(patch)
    proxy.approve_fully(change)
    before = ann.apply(change)["deadline"]
    path = f"/v1/changes/{change['id']}/extend"
    extended = ann.post(path, {"deadline": "30m"})
    assert extended.status == 200 and extended.json()["deadline"] > before, extended.body
    assert ann.post(path, {"deadline": "2h"}).status in (409, 422)
    assert ann.post(path, {"deadline": "soon"}).json()["errors"][0]["pointer"] == "/deadline"
    assert ann.post(path, {}).status == 422


def test_diff_findings_and_impact_are_shown(make_origin, make_enforced):
    proxy, patch = two_pools(make_origin, make_enforced)
    ann = proxy.as_("ann")
    path = f"/v1/changes/{ann.submit(patch)['id']}"
    diff = ann.get(path + "/diff").json()["diff"]
    assert [(one["op"], one["pointer"], one["before"], one["after"]) for one in diff] == \
        [("change", "/routes/everything/pool", "app", "next")]
    assert ann.get(path + "/findings").status == 200
    impact = ann.get(path + "/impact")
    assert impact.status == 200 and impact.json()["class"] >= 2 and impact.json()["change"] in path
