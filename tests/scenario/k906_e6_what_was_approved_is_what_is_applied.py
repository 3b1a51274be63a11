"""E-6: any edit makes a new iteration, whose approvals are none; bytes changed below are found at apply."""
import sqlite3

PATCH = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}


def named(answer):
    """(status, name of the problem)"""
    return answer.status, answer.json()["type"].rsplit("/", 1)[1]


def test_an_edit_takes_the_approvals_away(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    ann = proxy.as_("ann")
    change = proxy.approve_fully(ann.submit(PATCH))
    assert change["state"] == "approved"
    for body in ({"title": "a dot more."}, {"patch": {"pools": {"app": {"servers": {"s1": {"weight": 51}}}}}}, {"reason": "other"}):
        edited = ann.patch(f"/v1/changes/{change['id']}", body, headers={"If-Match": f'"{change["etag"]}"'}).json()
        assert edited["state"] == "draft" and edited["approvals"]["given"] == [] and edited["digest"] is None
        assert named(ann.post(f"/v1/changes/{change['id']}/apply")) == (409, "state-conflict")
        ann.post(f"/v1/changes/{change['id']}/submit")
        change = proxy.approve_fully(ann.change(change["id"]))
        assert change["state"] == "approved"


def test_bytes_changed_in_the_store_are_not_applied(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    ann = proxy.as_("ann")
    change = proxy.approve_fully(ann.submit(PATCH))
    before = proxy.status()["running"]["digest"]
    store = sqlite3.connect(f"{proxy.state_dir}/twokey.db", timeout=20)
    table = store.execute("select name from sqlite_master where type='table' and sql like '%value%'").fetchone()[0]
    key = "blob/" + change["target"].partition(":")[2]
    bytes_before = store.execute(f"select value from {table} where key=?", (key,)).fetchone()[0]
    changed = bytes_before.replace(b'"weight":50', b'"weight":99')
    assert changed != bytes_before
    proxy.is_damaged = True
    with store:
        store.execute(f"update {table} set value=? where key=?", (changed, key))
    store.close()
    answer = ann.post(f"/v1/changes/{change['id']}/apply")
    assert answer.status in (409, 412), answer.body
    assert proxy.status()["running"]["digest"] == before
