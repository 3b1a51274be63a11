"""E-13: approvals are judged by who may approve now: a person who lost the role since does not count."""
PATCH = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}


def named(answer):
    """(status, name of the problem)"""
    return answer.status, answer.json()["type"].rsplit("/", 1)[1]


def lose(proxy, patch):
    """ann's change, approved by cat; meanwhile what `patch` says happens to cat."""
    ann = proxy.as_("ann")
    about_cat = proxy.approve_fully(ann.submit({"people": {"cat": patch}}))
    change = ann.submit(PATCH)
    proxy.as_("cat").approve(change)
    assert ann.change(change["id"])["state"] == "approved"
    ann.apply(about_cat)
    ann.confirm(about_cat)
    return ann, change


def test_without_the_role(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    ann, change = lose(proxy, {"roles": ["viewer"]})
    shown = ann.change(change["id"])
    assert shown["approvals"]["have"] == 0 and shown["state"] in ("stale", "pending", "draft")
    assert named(ann.post(f"/v1/changes/{change['id']}/apply"))[1] in ("base-stale", "approvals-missing", "state-conflict")
    rebased = ann.post(f"/v1/changes/{change['id']}/rebase")
    assert rebased.status == 200, rebased.body
    pending = ann.post(f"/v1/changes/{change['id']}/submit").json()
    assert "cat" not in pending["approvals"]["who_can"]
    assert named(proxy.as_("cat").post(f"/v1/changes/{change['id']}/approvals",
                                       {"digest": pending["digest"], "decision": "approve"}))[0] == 403


def test_disabled(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    ann, change = lose(proxy, {"disabled": True})
    assert ann.change(change["id"])["approvals"]["have"] == 0
    assert proxy.as_("cat").get("/v1/whoami").status == 401
