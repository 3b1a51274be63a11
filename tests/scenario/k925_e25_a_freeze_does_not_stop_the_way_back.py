"""E-25: rollback, cancel and runtime overrides work in a freeze and outside every window."""
import datetime

from support.client import get
from support.origin import named as says


def closed_window():
    """A window of one minute that is neither now nor soon."""
    now = datetime.datetime.now(datetime.timezone.utc)
    far = now + datetime.timedelta(hours=12)
    return [{"from": far.strftime("%H:%M"), "to": (far + datetime.timedelta(minutes=1)).strftime("%H:%M")}]


def two_pools(make_origin, make_enforced, **options):
    new = make_origin(says("new"))
    return make_enforced([make_origin(says("old")), make_origin(says("old"))], config={"pools": {"next": {"servers": {"n1": {"address": new.address}}}}}, **options)


TO_NEXT = {"routes": {"everything": {"pool": "next"}}}


def test_in_a_freeze(make_origin, make_enforced):
    proxy = two_pools(make_origin, make_enforced)
    ann = proxy.as_("ann")
    change = proxy.approve_fully(ann.submit(TO_NEXT))
    ann.apply(change)
    assert ann.put("/v1/freeze", {"reason": "an incident"}).status == 200
    assert ann.post(f"/v1/changes/{change['id']}/cancel").status == 200
    assert get(proxy.address).body == b"old"
    assert ann.put("/v1/pools/app/servers/s1/state", {"state": "drain", "reason": "it smokes"}).status == 200
    ann.delete("/v1/freeze")
    proxy.run_change(TO_NEXT, approvers=("bob", "cat"))
    ann.put("/v1/freeze", {"reason": "again"})
    back = ann.post("/v1/rollback", {"to": "previous", "reason": "it smokes"})
    assert back.status == 200, back.body
    assert get(proxy.address).body == b"old"


def test_outside_the_windows(make_origin, make_enforced):
    proxy = two_pools(make_origin, make_enforced, policy={"windows": closed_window()})
    ann = proxy.as_("ann")
    change = proxy.approve_fully(ann.submit(TO_NEXT))
    answer = ann.post(f"/v1/changes/{change['id']}/apply")
    assert answer.status == 409 and answer.json()["type"].endswith("/window-closed"), answer.body
    assert ann.put("/v1/pools/app/servers/s1/state", {"state": "drain", "reason": "it smokes"}).status == 200
    assert ann.change(change["id"])["state"] == "approved"
