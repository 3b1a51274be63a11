"""E-15: lowering the policy is a change of class 3 under the old policy, and helps no change that waits already."""
PATCH = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}


def named(answer):
    """(status, name of the problem)"""
    return answer.status, answer.json()["type"].rsplit("/", 1)[1]


def test_policy_first(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()], policy={"approvals": {"normal": 2, "high": 2}})
    ann = proxy.as_("ann")
    waiting = ann.submit(PATCH)
    assert waiting["approvals"]["required"] == 2
    lower = ann.submit({"policy": {"approvals": {"normal": 1}}})
    assert lower["class"] == 3 and lower["approvals"]["required"] == 2
    proxy.as_("bob").approve(lower)
    assert named(ann.post(f"/v1/changes/{lower['id']}/apply")) == (409, "approvals-missing")
    proxy.as_("cat").approve(lower)
    proxy.as_("bob").approve(waiting)
    ann.apply(lower)
    ann.confirm(lower)
    shown = ann.change(waiting["id"])
    assert shown["state"] != "approved" and shown["approvals"]["required"] == 2
    assert ann.post(f"/v1/changes/{waiting['id']}/apply").status in (409, 412)
    fresh = ann.submit(PATCH)
    assert fresh["approvals"]["required"] == 1


def test_the_mode_too(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    for mode in ("advisory", "off"):
        change = proxy.as_("ann").submit({"policy": {"mode": mode}})
        assert change["class"] == 3 and change["approvals"]["required"] >= 2
