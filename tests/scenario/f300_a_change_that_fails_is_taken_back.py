"""The health gate takes a change back whose requests fail, by itself, and says why."""
import time

import pytest

from support.load import Trickle
from support.origin import named, ok


@pytest.fixture
def make_two(make_origin, make_enforced):
    """A proxy that sends everything to `good`, and the patch that sends it to servers that answer 503."""
    def make():
        origins = make_origin(named("good")), make_origin(ok(b"no", status=503))
        pools = {"next": {"servers": {"n1": {"address": origins[1].address}}}}
        return make_enforced([origins[0]], config={"pools": pools}), {"routes": {"everything": {"pool": "next"}}}
    return make


def audit_of(proxy, change):
    records = proxy.as_("dan").get("/v1/audit?from_seq=0").json()["records"]
    return [record for record in records if record.get("change") == change["id"]]


@pytest.mark.waits
@pytest.mark.slow
def test_under_load(make_two):
    proxy, patch = make_two()
    ann = proxy.as_("ann")
    with Trickle(proxy.address, per_second=40) as load:
        proxy.wait_for(lambda: load.statuses[200] >= 450, timeout=60)  # a bucket of what was before is closed
        began = time.monotonic()
        change = ann.submit(patch)
        proxy.approve_fully(change)
        ann.apply(change)
        assert ann.change(change)["gate"]["state"] == "inconclusive", "it has seen nothing yet"
        proxy.wait_for(lambda: ann.change(change)["gate"]["state"] == "fail", timeout=60)
        assert 'twokey_gate_state{input="errors"} 1' in proxy.admin("GET", "/metrics").body
        refused = ann.post(f"/v1/changes/{change['id']}/confirm")
        assert refused.status == 409 and refused.json()["type"].endswith("/gate-failing")
        assert "errors" in [each["name"] for each in refused.json()["inputs"]]
        proxy.wait_for(lambda: ann.change(change)["state"] == "rolled_back", timeout=60)
        assert time.monotonic() - began > 25, "three readings in a row"
    ended = ann.change(change)
    assert "errors: pool next: " in ended["ended_why"] and "(before 0.00% of " in ended["ended_why"]
    assert ended["last_error"] == ended["ended_why"] and "gate" not in ended
    back = [record for record in audit_of(proxy, change) if record["event"] == "change.rolled-back"]
    assert [record["actor"]["principal"] for record in back] == ["gate"]
    assert back[0]["data"]["why"] == ended["ended_why"]
    assert any(record["event"] == "gate.changed" and record["data"]["gate"] == "fail" for record in audit_of(proxy, change))
    assert proxy.status()["running"]["rev"] == 1 and proxy.status()["pending_confirm"] is None
    proxy.wait_for(lambda: any(alert["name"] == "ChangeTakenBack" and alert["change"] == change["id"]
                               for alert in ann.get("/v1/alerts").json()["alerts"]))
    assert 'twokey_rollbacks_total{cause="gate"} 1' in proxy.admin("GET", "/metrics").body
