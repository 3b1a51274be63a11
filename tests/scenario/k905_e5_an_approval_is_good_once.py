"""E-5: an approval belongs to one change and iteration, and is used up by the apply."""
PATCH = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}


def named(answer):
    """(status, name of the problem)"""
    return answer.status, answer.json()["type"].rsplit("/", 1)[1]


def yes(change):
    return {"digest": change["digest"], "decision": "approve", "comment": "read"}


def test_not_for_another_iteration_or_change(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    ann, bob = proxy.as_("ann"), proxy.as_("bob")
    change = ann.submit(PATCH)
    path = f"/v1/changes/{change['id']}"
    bob.approve(change)
    reopened = ann.post(path + "/reopen").json()
    assert reopened["state"] == "draft" and reopened["approvals"]["given"] == [] and reopened["iteration"] == 2
    again = ann.post(path + "/submit").json()
    assert again["digest"] != change["digest"] and again["target"] == change["target"] and again["approvals"]["have"] == 0
    assert named(bob.post(path + "/approvals", yes(change))) == (412, "digest-mismatch")
    twin = ann.submit(PATCH)
    assert twin["target"] == change["target"] and twin["digest"] != again["digest"]
    assert named(bob.post(f"/v1/changes/{twin['id']}/approvals", yes(again))) == (412, "digest-mismatch")


def test_not_twice(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    ann, bob = proxy.as_("ann"), proxy.as_("bob")
    change = ann.submit(PATCH)
    proxy.approve_fully(change)
    ann.apply(change)
    assert ann.post(f"/v1/changes/{change['id']}/cancel").json()["state"] == "rolled_back"
    assert named(ann.post(f"/v1/changes/{change['id']}/apply")) == (409, "state-conflict")
    assert named(bob.post(f"/v1/changes/{change['id']}/approvals", yes(change))) == (409, "state-conflict")
    same = ann.submit(PATCH)
    assert same["id"] != change["id"] and same["digest"] != change["digest"] and same["approvals"]["have"] == 0
    assert named(ann.post(f"/v1/changes/{same['id']}/apply")) == (409, "approvals-missing")
