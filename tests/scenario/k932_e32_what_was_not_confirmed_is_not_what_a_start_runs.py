"""E-32: a restart while a change waits for its confirmation runs what ran before it."""
from support.client import get
from support.origin import named


def test_killed_while_confirming(make_origin, make_enforced):
    old, new = make_origin(named("old")), make_origin(named("new"))
    proxy = make_enforced([old], config={"pools": {"next": {"servers": {"n1": {"address": new.address}}}}})
    ann = proxy.as_("ann")
    change = proxy.approve_fully(ann.submit({"routes": {"everything": {"pool": "next"}}}))
    before = proxy.status()["running"]
    ann.apply(change)
    assert get(proxy.address).body == b"new" and proxy.status()["boot"]["rev"] == before["rev"]
    proxy.kill9()
    proxy.start()
    assert get(proxy.address).body == b"old"
    assert ann.change(change["id"])["state"] == "rolled_back"
    assert proxy.status()["running"]["digest"] == before["digest"] and proxy.status()["pending_confirm"] is None
