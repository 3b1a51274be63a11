"""What is not allowed is refused by the name that the documentation gives it, and says what to do next."""
import pytest


@pytest.fixture
def proxy(make_origin, make_enforced):
    return make_enforced([make_origin(), make_origin()])


PATCH = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}


def refused(answer):
    """(status, name); the rest of the problem is checked here."""
    problem = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json", answer.body
    assert problem["status"] == answer.status and problem["title"] and problem["detail"] and problem["instance"]
    return answer.status, problem["type"].rsplit("/", 1)[1]


def test_nobody_is_refused_without_telling_why(proxy):
    assert refused(proxy.nobody().get("/v1/changes")) == (401, "unauthenticated")
    assert refused(proxy.with_token("tk_ann_" + "A" * 43).get("/v1/changes")) == (401, "unauthenticated")


def test_roles(proxy):
    assert refused(proxy.as_("cat").post("/v1/changes", {"title": "x", "reason": "y", "patch": PATCH})) == (403, "forbidden")
    assert refused(proxy.as_("ann").get("/v1/audit")) == (403, "forbidden")


def test_decisions(proxy):
    ann, bob = proxy.as_("ann"), proxy.as_("bob")
    change = ann.submit(PATCH)
    path = f"/v1/changes/{change['id']}/approvals"
    yes = {"digest": change["digest"], "decision": "approve", "comment": "read"}
    assert refused(ann.post(path, yes)) == (403, "self-approval")
    assert refused(proxy.as_("ci").post(path, yes)) == (403, "not-an-approver")
    assert refused(bob.post(path, {**yes, "digest": "sha256:" + "0" * 64})) == (412, "digest-mismatch")
    assert refused(bob.post(path, {**yes, "digest": change["etag"]})) == (412, "digest-mismatch")
    assert refused(bob.post(path, {"decision": "approve"})) == (422, "invalid-field")
    assert refused(bob.post(path, {**yes, "decision": "yes"})) == (422, "invalid-field")
    assert refused(bob.post(path, {**yes, "force": True})) == (422, "unknown-field")
    assert bob.post(path, yes).status == 200
    assert refused(bob.post(path, yes)) == (409, "already-decided")
    assert refused(bob.post(path, {**yes, "decision": "veto"})) == (409, "already-decided")


def test_a_robots_owner_may_not_approve_for_it(proxy):
    change = proxy.as_("ci").submit(PATCH)
    yes = {"digest": change["digest"], "decision": "approve", "comment": "read"}
    assert refused(proxy.as_("ann").post(f"/v1/changes/{change['id']}/approvals", yes)) == (403, "self-approval")


def test_apply_before_its_time(proxy):
    ann = proxy.as_("ann")
    change = ann.submit(PATCH)
    answer = ann.post(f"/v1/changes/{change['id']}/apply")
    assert refused(answer) == (409, "approvals-missing")
    problem = answer.json()
    assert problem["have"] == 0 and problem["need"] == change["approvals"]["required"] and "bob" in problem["who_can"]
    draft = ann.post("/v1/changes", {"title": "x", "reason": "y", "patch": PATCH}).json()
    assert refused(ann.post(f"/v1/changes/{draft['id']}/apply")) == (409, "state-conflict")
    assert refused(proxy.as_("cat").post(f"/v1/changes/{change['id']}/apply")) == (403, "forbidden")
    proxy.approve_fully(change)
    assert refused(ann.post(f"/v1/changes/{change['id']}/apply", headers={"If-Match": '"sha256:' + "0" * 64 + '"'}))[0] == 412
    assert refused(ann.post(f"/v1/changes/{change['id']}/apply", {"force": True})) == (422, "unknown-field")
    assert ann.post(f"/v1/changes/{change['id']}/apply", headers={"If-Match": f'"{change["digest"]}"'}).status == 200


def test_one_confirmation_at_a_time(proxy):
    ann = proxy.as_("ann")
    first, second = ann.submit(PATCH), ann.submit({"pools": {"app": {"servers": {"s2": {"weight": 50}}}}})
    proxy.approve_fully(first)
    proxy.approve_fully(second)
    ann.apply(first)
    assert refused(ann.post(f"/v1/changes/{second['id']}/apply")) == (409, "confirm-pending")
    ann.confirm(first)
    assert ann.change(second["id"])["state"] == "stale"
    assert refused(ann.post(f"/v1/changes/{second['id']}/apply")) == (412, "base-stale")
    assert refused(ann.post(f"/v1/changes/{second['id']}/approvals",
                            {"digest": second["digest"], "decision": "approve"}))[0] in (403, 409)
    rebased = ann.post(f"/v1/changes/{second['id']}/rebase").json()
    assert rebased["state"] == "draft" and rebased["base"]["rev"] > second["base"]["rev"]
    assert refused(ann.post(f"/v1/changes/{first['id']}/confirm")) == (409, "state-conflict")


def test_too_early(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()], policy={"confirm": {"min_bake": "9m"}})
    ann = proxy.as_("ann")
    change = ann.submit(PATCH)
    proxy.approve_fully(change)
    ann.apply(change)
    answer = ann.post(f"/v1/changes/{change['id']}/confirm")
    assert refused(answer) == (409, "too-early")
    assert refused(ann.post(f"/v1/changes/{change['id']}/confirm?wait=1s")) == (409, "too-early")
    assert refused(ann.post(f"/v1/changes/{change['id']}/confirm?wait=long")) == (422, "invalid-field")


def test_frozen(proxy):
    ann = proxy.as_("ann")
    change = ann.submit(PATCH)
    proxy.approve_fully(change)
    assert ann.get("/v1/freeze").json()["freeze"] is None
    assert refused(ann.put("/v1/freeze", {})) == (422, "invalid-field")
    assert refused(ann.put("/v1/freeze", {"reason": "x", "until": "yesterday"})) == (422, "invalid-field")
    assert ann.put("/v1/freeze", {"reason": "the big day", "until": "1h"}).status == 200
    shown = ann.get("/v1/freeze").json()["freeze"]
    assert shown["reason"] == "the big day"
    assert refused(ann.post(f"/v1/changes/{change['id']}/apply")) == (409, "frozen")
    assert ann.delete("/v1/freeze").status == 200
    assert ann.post(f"/v1/changes/{change['id']}/apply").status == 200


def test_what_is_deleted_is_named(proxy):
    ann = proxy.as_("ann")
    body = {"title": "x", "reason": "y", "patch": {"pools": {"app": {"servers": {"s2": None}}}}}
    answer = ann.post("/v1/changes", body)
    assert refused(answer) == (422, "unlisted-delete")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/pools/app/servers/s2"]
    assert ann.post("/v1/changes", {**body, "deletes": ["/pools/app/servers/s2"]}).status == 201


def test_contents(proxy):
    ann = proxy.as_("ann")
    good = {"title": "x", "reason": "y", "patch": PATCH}
    for body, name in (({**good, "patches": {}}, "unknown-field"), ({**good, "title": 1}, "invalid-field"),
                       ({**good, "title": "a\u202eb"}, "invalid-field"), ({**good, "reason": "bell\u0007"}, "invalid-field"),
                       ({"reason": "y", "patch": PATCH}, "invalid-field"), ({"title": "x", "reason": "y"}, "invalid-field"),
                       ({**good, "config": {}}, "invalid-field"), ({**good, "deletes": "x"}, "invalid-field"),
                       ({**good, "confirm": {"mode": "never"}}, "invalid-field"), ({**good, "not_after": "tomorrow"}, "invalid-field")):
        answer = ann.post("/v1/changes", body)
        assert refused(answer) == (422, name), body
        assert answer.json()["errors"], body


def test_twenty_are_enough(proxy):
    ann = proxy.as_("ann")
    drafts = [ann.post("/v1/changes", {"title": f"n {n}", "reason": "y", "patch": PATCH}) for n in range(20)]
    assert {draft.status for draft in drafts} == {201}
    assert refused(ann.post("/v1/changes", {"title": "n", "reason": "y", "patch": PATCH})) == (429, "too-many-open")
    assert ann.post(f"/v1/changes/{drafts[0].json()['id']}/withdraw", {"reason": "one less"}).json()["state"] == "withdrawn"
    assert ann.post("/v1/changes", {"title": "n", "reason": "y", "patch": PATCH}).status == 201


def test_what_is_over_stays_over(proxy):
    ann = proxy.as_("ann")
    change = ann.submit(PATCH)
    proxy.as_("bob").veto(change, "not today")
    shown = ann.change(change["id"])
    assert shown["state"] == "rejected"
    path = f"/v1/changes/{change['id']}"
    for call in ("/submit", "/reopen", "/rebase", "/withdraw", "/apply", "/confirm", "/cancel"):
        assert refused(ann.post(path + call)) == (409, "state-conflict"), call
    assert refused(ann.patch(path, {"title": "z"}, headers={"If-Match": f'"{shown["etag"]}"'})) == (409, "state-conflict")


def test_nothing_of_that_name(proxy):
    ann = proxy.as_("ann")
    for path in ("/v1/changes/chg_0000000000000000000000000", "/v1/changes/x", "/v1/changes/chg_%00", "/v1/changes/..%2Fmeta",
                 "/v1/revisions/999", "/v1/revisions/x", "/v1/revisions/1/diff/999"):
        assert refused(ann.get(path)) == (404, "not-found"), path
    assert refused(ann.post("/v1/changes/chg_x/apply")) == (404, "not-found")
    assert refused(ann.post("/v1/rollback", {"to": "999", "reason": "x"}))[1] in ("not-found", "invalid-field")
    assert refused(ann.post("/v1/rollback", {"to": "next"}))[1] in ("not-found", "invalid-field")
    assert refused(ann.post("/v1/rollback", {})) == (422, "invalid-field")
    assert refused(ann.get("/v1/changes?state=odd")) == (422, "invalid-field")
