"""E-37: the admin listener is a matter of class 3, confirmed by a call that reaches it."""
from support.proxy import free_port


def test_another_admin_address(make_origin, make_enforced):
    proxy = make_enforced([make_origin()])
    ann = proxy.as_("ann")
    patch = {"admin": {"listen": f"127.0.0.1:{free_port()}"}}
    unaware = ann.post("/v1/changes?submit=true", {"title": "x", "reason": "y", "patch": patch})
    assert unaware.status == 422 and {error["rule"] for error in unaware.json()["errors"]} == {"X007"}
    change = ann.submit(patch, override=["X007"])
    assert change["class"] == 3 and change["approvals"]["required"] >= 2
    proxy.approve_fully(change)
    ann.apply(change)
    assert ann.confirm(change)["state"] == "applied"  # by a call that reached it
    assert ann.get("/v1/status").status == 200
