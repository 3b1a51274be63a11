"""With traffic that is well the share grows until all connections have the change; without traffic it stays where it is."""
import threading
import time

import pytest

from support.client import Client, get
from support.origin import named
from support.proxy import free_port

pytestmark = pytest.mark.waits

STEP = [{"percent": 50, "for": "10s"}]


@pytest.fixture
def proxy(make_origin, make_enforced):
    old, new = make_origin(named("old")), make_origin(named("new"))
    proxy = make_enforced([old])
    proxy.patch = {"pools": {"next": {"servers": {"n1": {"address": new.address}}}}, "routes": {"everything": {"pool": "next"}}}
    return proxy


def try_it(proxy, patch, rollout):
    change = proxy.as_("ann").submit(patch, rollout=rollout)
    proxy.approve_fully(change)
    return proxy.as_("ann").apply(change)


def rollout_of(proxy):
    return (proxy.status()["pending_confirm"] or {}).get("rollout")


class Trickle:
    """A connection after the other, a few requests each, until it is told to end."""

    def __init__(self, proxy):
        self.proxy, self.failed, self.ended = proxy, [], threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.ended.wait(0.05):
            with Client(self.proxy.address) as client:
                self.failed += [code for code in (client.request(target="/").status for _ in range(10)) if code != 200]

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


@pytest.mark.timeout(120)
def test_all_connections_have_it_at_the_end(proxy):
    port = free_port()
    change = try_it(proxy, {**proxy.patch, "listeners": {"more": {"address": f"127.0.0.1:{port}"}}}, STEP)
    with Trickle(proxy) as load:
        time.sleep(5)
        with pytest.raises(OSError):
            Client(f"127.0.0.1:{port}", timeout=2)  # listeners wait for all
        proxy.wait_for(lambda: rollout_of(proxy) is None, timeout=60)
        proxy.wait_for(lambda: get(f"127.0.0.1:{port}").body == b"new")
    assert load.failed == []
    assert {get(proxy.address).body for _ in range(40)} == {b"new"}
    assert proxy.status()["running"]["rev"] == change["rev"] and proxy.as_("ann").change(change)["state"] == "confirming"
    assert proxy.as_("ann").confirm(change)["state"] == "applied"
    events = [record["event"] for record in proxy.as_("dan").get("/v1/audit?limit=200").json()["records"]]
    told = [event for event in events if event in ("apply.armed", "canary.step", "canary.whole")]
    assert sorted(told) == ["apply.armed", "canary.step", "canary.whole"], events
    proxy.wait_for(lambda: proxy.metrics().value("twokey_snapshots_alive") == 1)


@pytest.mark.timeout(120)
def test_without_traffic_it_stays(proxy):
    change = try_it(proxy, proxy.patch, [{"percent": 50, "for": "10s"}, {"percent": 90, "for": "10m"}])
    proxy.wait_for(lambda: rollout_of(proxy)["waits"], timeout=40)
    assert rollout_of(proxy)["percent"] == 50
    alerts = proxy.as_("ann").get("/v1/alerts").json()["alerts"]
    told = [alert for alert in alerts if alert["name"] == "CanaryWaits"]
    assert told and told[0]["change"] == change["id"], alerts
    gate = proxy.status()["pending_confirm"]["gate"]
    assert gate["state"] == "inconclusive", gate
    with Trickle(proxy):
        proxy.wait_for(lambda: rollout_of(proxy)["percent"] == 90, timeout=60)
