"""Three starts in five minutes on a revision younger than an hour: the last known good one runs."""
import json

from support.client import get
from support.origin import named
from support.state import Database


def earn_lkg(proxy):
    """As half an hour and a thousand requests would (apply_test and gate_test have that, with clocks of their own)."""
    proxy.stop()
    with Database(proxy.state_dir) as database:
        database.put("lkg", json.dumps(json.loads(database.get("running")), sort_keys=True, separators=(",", ":")).encode())
    proxy.start()


def test_the_third_start(make_origin, make_enforced):
    old, new = make_origin(named("old")), make_origin(named("new"))
    proxy = make_enforced([old], config={"pools": {"next": {"servers": {"n1": {"address": new.address}}}}})
    earn_lkg(proxy)
    change = proxy.run_change({"routes": {"everything": {"pool": "next"}}}, approvers=("bob", "cat"))
    assert change["state"] == "applied" and get(proxy.address).body == b"new"
    proxy.kill9()
    proxy.start()
    assert get(proxy.address).body == b"new", "the second start may be chance"
    proxy.kill9()
    proxy.start()
    assert get(proxy.address).body == b"old"
    status = proxy.status()
    assert status["running"]["rev"] == status["boot"]["rev"] == status["lkg"]["rev"] == 1
    alerts = proxy.as_("ann").get("/v1/alerts").json()["alerts"]
    assert any(alert["name"] == "CrashLoop" and alert["severity"] == "page" for alert in alerts), alerts
    proxy.kill9()
    proxy.start()
    assert get(proxy.address).body == b"old", "and it stays"
