"""A change that waits for its confirmation is not what a start runs; one that was confirmed is."""
from support.client import get
from support.origin import named


def test_a_restart_while_it_waits(make_origin, make_enforced):
    old, new = make_origin(named("old")), make_origin(named("new"))
    proxy = make_enforced([old], config={"pools": {"next": {"servers": {"n1": {"address": new.address}}}}})
    ann = proxy.as_("ann")
    change = ann.submit({"routes": {"everything": {"pool": "next"}}})
    proxy.approve_fully(change)
    ann.apply(change)
    assert get(proxy.address).body == b"new"
    proxy.stop()
    proxy.start()
    assert get(proxy.address).body == b"old"
    ended = ann.change(change)
    assert ended["state"] == "rolled_back" and "restart" in str(ended)
    assert proxy.status()["pending_confirm"] is None
    alerts = ann.get("/v1/alerts").json()["alerts"]
    assert any(change["id"] in alert["summary"] for alert in alerts), alerts

    again = ann.submit({"routes": {"everything": {"pool": "next"}}})
    proxy.approve_fully(again)
    ann.apply(again)
    ann.confirm(again)
    proxy.kill9()
    proxy.start()
    assert get(proxy.address).body == b"new"
    assert ann.change(again)["state"] == "applied"


def test_drafts_and_approvals_live_through_a_crash(make_origin, make_enforced):
    proxy = make_enforced([make_origin()])
    ann = proxy.as_("ann")
    draft = ann.post("/v1/changes", {"title": "d", "reason": "r", "patch": {"pools": {"app": {"slow_start": "2s"}}}}).json()
    change = ann.submit({"pools": {"app": {"slow_start": "1s"}}})
    proxy.approve_fully(change)
    proxy.kill9()
    proxy.start()
    assert ann.change(draft)["state"] == "draft" and ann.change(draft)["etag"] == draft["etag"]
    assert ann.change(change)["state"] == "approved"
    ann.apply(change)
    ann.confirm(change)
