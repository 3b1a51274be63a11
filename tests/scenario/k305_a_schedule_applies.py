"""auto_apply: what was approved comes into force by itself, not before its time."""
import datetime


def rfc3339(seconds_from_now):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds_from_now)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_at_its_time(make_origin, make_enforced):
    proxy = make_enforced([make_origin()])
    ann = proxy.as_("ann")
    when = rfc3339(4)
    change = ann.submit({"pools": {"app": {"slow_start": "1s"}}}, not_before=when, auto_apply=True)
    proxy.approve_fully(change)
    early = ann.post(f"/v1/changes/{change['id']}/apply")
    if early.status == 200:  # a slow machine: its time had come
        return
    assert early.status == 409 and early.json()["type"].endswith("/too-early")
    proxy.wait_for(lambda: ann.change(change)["state"] == "confirming", timeout=30)
    assert rfc3339(0) >= when
    ann.confirm(change)


def test_without_it_nothing_happens_by_itself(make_origin, make_enforced):
    proxy = make_enforced([make_origin()])
    ann = proxy.as_("ann")
    quiet = ann.submit({"pools": {"app": {"slow_start": "1s"}}})
    proxy.approve_fully(quiet)
    loud = ann.submit({"pools": {"app": {"slow_start": "2s"}}}, auto_apply=True)
    proxy.approve_fully(loud)
    proxy.wait_for(lambda: ann.change(loud)["state"] == "confirming")
    assert ann.change(quiet)["state"] == "approved"
