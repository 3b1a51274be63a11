"""A full disk: mutations are refused, traffic and reading go on, a rollback is still possible."""
import os

import pytest

from support.client import get
from support.load import Load
from support.people import enforced_proxy
from support.state import small_disk, verify

WEIGHT = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}


@pytest.fixture
def on_small_disk(make_origin):
    """A proxy whose state is on a disk of its own, and that disk."""
    proxy = enforced_proxy([make_origin(), make_origin()], config={"observe": {"access_log": {"path": "off"}}})
    try:
        with small_disk(proxy.state_dir, 24) as disk:
            yield proxy.start(), disk
            proxy.stop()
    finally:
        proxy.discard()


def fill(proxy, disk):
    """Until nothing can be recorded any more."""
    disk.fill()
    for number in range(400):
        answer = proxy.as_("ann").post("/v1/changes", {"title": f"change {number}", "reason": "a test", "patch": WEIGHT})
        if answer.status == 429:     # too many open ones: again from the beginning
            for change in proxy.as_("ann").get("/v1/changes?state=draft&author=ann&limit=100").json()["changes"]:
                proxy.as_("ann").post(f"/v1/changes/{change['id']}/withdraw", {"reason": "a test"})
        elif answer.status != 201:
            return answer
    raise AssertionError("the disk does not get full")


@pytest.mark.timeout(180)
def test_refused_and_rolled_back(on_small_disk):
    proxy, disk = on_small_disk
    proxy.run_change(WEIGHT)
    load = Load(proxy.address, 4).start()
    answer = fill(proxy, disk)
    assert answer.status == 503 and answer.json()["type"].endswith("audit-unavailable"), answer.body
    assert "full" in answer.json()["detail"]
    assert any(alert["severity"] == "page" for alert in proxy.admin_get("/v1/alerts")["alerts"])
    assert proxy.admin_get("/v1/changes")["changes"]                # reading goes on
    rolled = proxy.as_("ann").post("/v1/rollback", {"to": "previous", "reason": "a full disk"})
    assert rolled.status == 200 and not rolled.json().get("undurable"), rolled.body
    assert not os.path.exists(os.path.join(proxy.state_dir, "reserve"))
    assert proxy.admin_get("/v1/config")["pools"]["app"]["servers"]["s1"].get("weight") != 50
    load.stop()
    assert not load.broken and set(load.statuses) == {200}
    proxy.kill9()
    proxy.start()                                                 # the rollback was recorded
    assert proxy.admin_get("/v1/config")["pools"]["app"]["servers"]["s1"].get("weight") != 50
    disk.empty()
    proxy.wait_for(lambda: proxy.as_("ann").post("/v1/changes", {"title": "t", "reason": "r", "patch": WEIGHT}).status == 201)
    proxy.wait_for(lambda: os.path.exists(os.path.join(proxy.state_dir, "reserve")), timeout=30)
    proxy.wait_for(lambda: verify(proxy.state_dir) == [])
    assert get(proxy.address).status == 200


@pytest.mark.timeout(180)
def test_even_the_reserve_is_gone(on_small_disk):
    """The rollback happens in memory, says so, and is recorded when there is room."""
    proxy, disk = on_small_disk
    proxy.run_change(WEIGHT)
    os.unlink(os.path.join(proxy.state_dir, "reserve"))
    fill(proxy, disk)
    rolled = proxy.as_("ann").post("/v1/rollback", {"to": "previous", "reason": "a full disk"})
    assert rolled.status == 200 and rolled.json()["undurable"] is True, rolled.body
    assert proxy.admin_get("/v1/config")["pools"]["app"]["servers"]["s1"].get("weight") != 50
    assert get(proxy.address).status == 200
    disk.empty()
    running = proxy.status()["running"]["digest"]
    proxy.wait_for(lambda: "undurable" not in proxy.admin("GET", "/v1/alerts").body.lower(), timeout=30)
    proxy.kill9()
    proxy.start()
    assert proxy.status()["running"]["digest"] == running
    assert verify(proxy.state_dir) == []
