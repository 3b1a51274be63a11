"""The health gate takes a change back whose requests fail, by itself, and says why."""
import time

import pytest

from support.load import Load
from support.origin import named, ok

POLICY = {"confirm": {"min_bake": "0s", "deadline": "10m"}}


@pytest.fixture
def make_two(make_origin, make_enforced):
    """A proxy that sends everything to `good`, and the patch that sends it to `bad`."""
    def make(bad, **policy):
        origins = make_origin(named("good")), make_origin(bad)
        pools = {"next": {"servers": {"n1": {"address": origins[1].address}}}}
        proxy = make_enforced([origins[0]], config={"pools": pools}, policy={**POLICY, **policy})
        return proxy, {"routes": {"everything": {"pool": "next"}}}
    return make


def applied(proxy, patch, **fields):
    change = proxy.as_("ann").submit(patch, **fields)
    proxy.approve_fully(change)
    proxy.as_("ann").apply(change)
    return change


def test_503_under_load(make_two):
    proxy, patch = make_two(ok(b"no", status=503))
    load = Load(proxy.address, connections=4, seconds=120).start()
    try:
        time.sleep(22)  # two buckets of what was before
        began = time.monotonic()
        change = applied(proxy, patch)
        proxy.wait_for(lambda: proxy.as_("ann").change(change)["gate"]["state"] == "fail", timeout=40)
        refused = proxy.as_("ann").post(f"/v1/changes/{change['id']}/confirm")
        assert refused.status == 409 and refused.json()["type"].endswith("/gate-failing")
        assert [each["name"] for each in refused.json()["inputs"]] == ["errors"]
        proxy.wait_for(lambda: proxy.as_("ann").change(change)["state"] == "rolled_back", timeout=60)
        assert 25 < time.monotonic() - began < 60
    finally:
        load.stop()
    ended = proxy.as_("ann").change(change)
    assert "errors: pool next: " in ended["ended_why"] and ended["last_error"] == ended["ended_why"]
    assert proxy.status()["running"]["rev"] == 1
    print(ended["ended_why"])
