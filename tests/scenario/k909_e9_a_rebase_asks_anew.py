"""E-9: what is rebased onto another configuration needs its approvals anew."""
PATCH = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}


def named(answer):
    """(status, name of the problem)"""
    return answer.status, answer.json()["type"].rsplit("/", 1)[1]


def two(proxy):
    ann = proxy.as_("ann")
    first, second = ann.submit(PATCH), ann.submit({"pools": {"app": {"servers": {"s2": {"weight": 50}}}}})
    proxy.approve_fully(first)
    proxy.approve_fully(second)
    ann.apply(first)
    ann.confirm(first)
    return ann, second


def test_approvals_are_gone(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    ann, second = two(proxy)
    path = f"/v1/changes/{second['id']}"
    assert named(ann.post(path + "/apply")) == (412, "base-stale")
    assert ann.change(second["id"])["state"] == "stale"
    rebased = ann.post(path + "/rebase").json()
    assert rebased["state"] == "draft" and rebased["approvals"]["given"] == [] and rebased["iteration"] == 2
    assert rebased["base"]["digest"] == proxy.status()["running"]["digest"]
    pending = ann.post(path + "/submit").json()
    assert named(ann.post(path + "/apply")) == (409, "approvals-missing")
    proxy.approve_fully(pending)
    ann.apply(pending)
    servers = ann.get("/v1/config/pools/app").json()["servers"]
    assert (servers["s1"]["weight"], servers["s2"]["weight"]) == (50, 50)  # both, not one instead of the other
