"""E-14: people.X.revoked_since: decisions since then count no more, in open changes; those that were applied are listed."""
import datetime

from support.people import ROLES

WEIGHT = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}
KEEP = {"keep_on_clean_rebase": True}


def ago(minutes):
    return (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def revoke(proxy, person, since):
    return proxy.run_change({"people": {person: {"revoked_since": since}}}, author="ann", approvers=("bob", "dan"))


def rebased(proxy, change):
    answer = proxy.as_("ann").post(f"/v1/changes/{change['id']}/rebase")
    assert answer.status == 200, answer.body
    return answer.json()


def given(change):
    return [row["person"] for row in change["approvals"]["given"]]


def test_an_approval_since_then_is_void(make_enforced, origin):
    proxy = make_enforced([origin], policy=KEEP, roles={**ROLES, "eve": ["approver"], "fay": ["approver"]})
    change = proxy.as_("cat").approve(proxy.as_("ann").submit(WEIGHT))
    assert change["state"] == "approved"
    revoke(proxy, "cat", ago(5))
    assert proxy.as_("cat").get("/v1/status").status == 401
    assert proxy.as_("ann").post(f"/v1/changes/{change['id']}/apply").status in (409, 412)
    change = rebased(proxy, change)
    if change["state"] == "draft":
        change = proxy.as_("ann").post(f"/v1/changes/{change['id']}/submit").json()
    assert change["state"] == "pending" and "cat" not in given(change)
    assert proxy.as_("ann").post(f"/v1/changes/{change['id']}/apply").status == 409


def test_an_approval_before_then_counts(make_enforced, origin):
    proxy = make_enforced([origin], policy=KEEP, roles={**ROLES, "eve": ["approver"], "fay": ["approver"]})
    change = proxy.as_("bob").approve(proxy.as_("ann").submit(WEIGHT))
    proxy.run_change({"people": {"cat": {"revoked_since": ago(5)}}}, author="ann", approvers=("bob", "dan"))
    change = rebased(proxy, change)
    assert change["state"] == "approved" and given(change) == ["bob"]


def test_what_was_applied_with_it_is_listed(make_enforced, origin):
    proxy = make_enforced([origin], roles={**ROLES, "eve": ["approver"], "fay": ["approver"]})
    touched = proxy.run_change(WEIGHT, author="ann", approvers=("cat",))
    proxy.run_change({"pools": {"app": {"servers": {"s1": {"weight": 60}}}}}, author="ann", approvers=("bob",))
    assert not [alert for alert in proxy.admin_get("/v1/alerts")["alerts"] if alert["name"] == "RevokedApproval"]
    revoke(proxy, "cat", ago(5))
    alerts = [alert for alert in proxy.admin_get("/v1/alerts")["alerts"] if alert["name"] == "RevokedApproval"]
    assert [alert["change"] for alert in alerts] == [touched["id"]]
    assert "cat" in alerts[0]["summary"]
