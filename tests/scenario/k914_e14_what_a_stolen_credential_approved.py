"""E-14: `revoked_since` voids what the person approved since then, and names what was applied with it."""
import datetime

PATCH = {"pools": {"app": {"servers": {"s1": {"weight": 90}}}}}


def ago(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_revoked(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    ann = proxy.as_("ann")
    applied = proxy.run_change(PATCH, approvers=("cat",))
    waiting = ann.submit({"pools": {"app": {"servers": {"s2": {"weight": 90}}}}})
    proxy.as_("cat").approve(waiting)
    assert ann.change(waiting["id"])["state"] == "approved"
    revoked = ann.submit({"people": {"cat": {"revoked_since": ago(3600)}}})
    assert revoked["class"] == 3
    for person in ("bob", "dan"):
        proxy.as_(person).approve(revoked)
    ann.apply(revoked)
    ann.confirm(revoked)
    assert proxy.as_("cat").get("/v1/whoami").status == 401
    shown = ann.change(waiting["id"])
    assert shown["approvals"]["have"] == 0 and shown["state"] != "approved"
    assert ann.post(f"/v1/changes/{waiting['id']}/apply").status in (409, 412)
    told = [alert for alert in ann.get("/v1/alerts").json()["alerts"] if applied["id"] in str(alert)]
    assert told, "what was applied by that approval is not told"
