"""All requests of a pool go to one server, by weights, by a hash, by cookies: an alarm within a minute; not where one drains."""
import threading
import time

import pytest
from support.client import Client, build
from support.proxy import free_port
from support.origin import ok

pytestmark = pytest.mark.waits

SERVERS = ("s1", "s2", "s3", "s4")
POOLS = ("weights", "hash", "sticky", "drained", "even")
SESSIONS = 160


class Load:
    """Requests to every pool, about thirty a second each, from one thread a pool."""

    def __init__(self, proxy):
        self.proxy, self.stopping, self.failed = proxy, False, []
        self.cookies = []
        self.threads = [threading.Thread(target=self.run, args=(pool,)) for pool in POOLS]

    def begin_sessions(self):
        client = Client(self.proxy.address)
        for _ in range(SESSIONS):
            client.send(build("GET", "/sticky"))
            self.cookies.append(client.response().header("set-cookie").split(";")[0])

    def run(self, pool):
        client, turn = Client(self.proxy.address), 0
        while not self.stopping:
            headers = {"X-Tenant": "the same"}
            if pool == "sticky":
                headers["Cookie"] = self.cookies[turn % len(self.cookies)]
            client.send(build("GET", f"/{pool}", headers))
            if client.response().status != 200:
                self.failed.append(pool)
            turn += 1
            time.sleep(0.03)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        for thread in self.threads:
            thread.join()


def configuration(addresses, begun):
    servers = {name: {"address": address} for name, address in zip(SERVERS, addresses)}

    def with_all(**by_server):
        return {name: {**servers[name], **by_server.get(name, {})} for name in SERVERS}

    others = SERVERS[1:]
    pools = {
        "even": {"servers": with_all()},
        "weights": {"servers": with_all(**{name: {"weight": 1} for name in others} if begun else {}, s1={"weight": 1000})
                    if begun else with_all()},
        "hash": {"balance": "maglev", "hash_on": "header:x-tenant", "servers": with_all()},
        "sticky": {"sticky": {"cookie": "stay"},
                   "servers": with_all(**({} if begun else {name: {"state": "maint"} for name in others}))},
        "drained": {"servers": with_all(s3={"state": "drain"}, s4={"state": "drain"})},
    }
    return {"pools": pools, "routes": {pool: {"path_prefix": f"/{pool}", "pool": pool} for pool in POOLS}}


def alerts(proxy, pool):
    return [alert for alert in proxy.admin_get("/v1/alerts")["alerts"] if alert.get("pool") == pool]


def distribution(proxy, pool):
    return proxy.admin_get(f"/v1/pools/{pool}/distribution")


@pytest.fixture
def proxy(make_origin, start_proxy):
    addresses = [make_origin(ok(), keep=False).address for _ in SERVERS]
    proxy = start_proxy({"listeners": {"web": {"address": f"127.0.0.1:{free_port()}", "keepalive_requests": 0}},
                         "policy": {"mode": "off"}, **configuration(addresses, False)})
    proxy.later = {**proxy.config, **configuration(addresses, True)}
    return proxy


def is_paged(proxy, pool):
    return any(alert["severity"] == "page" for alert in alerts(proxy, pool))


@pytest.mark.timeout(150)
def test_somebody_is_woken(proxy):
    load = Load(proxy)
    assert distribution(proxy, "sticky")["states"]["capacity"] == "insufficient"
    load.begin_sessions()
    proxy.reload(proxy.later)
    began = time.monotonic()
    with load:
        proxy.wait_for(lambda: all(is_paged(proxy, pool) for pool in ("weights", "hash", "sticky")), timeout=90)
        seconds = time.monotonic() - began
        shown = {pool: distribution(proxy, pool) for pool in POOLS}
        told = {pool: alerts(proxy, pool) for pool in POOLS}
        metrics = proxy.metrics()
        text = proxy.admin("GET", "/v1/pools/sticky/distribution", headers={"Accept": "text/plain"}).body
        proxy.reload(proxy.later)  # nothing is different: what was seen stays
        again = distribution(proxy, "weights")
    assert not load.failed
    print(f"somebody was woken after {seconds:.0f} s")

    # by weights: as configured, but not as capacities are
    weights = shown["weights"]
    assert weights["states"]["capacity"] == "page"
    minute = weights["windows"][0]
    assert minute["seconds"] == 60 and minute["n_eff"] < 1.2 and minute["tvd"] > 0.6
    first = minute["servers"][0]
    assert first["name"] == "s1" and first["share"] > 0.95 and first["capacity"] == 0.25 and first["configured"] > 0.95
    alert = next(alert for alert in told["weights"] if alert["severity"] == "page")
    assert alert["name"] in ("TrafficConcentration", "TrafficOverShare")
    assert alert["server"] == "s1" and alert["ref"] == "capacity"
    assert "expected 25 %" in alert["summary"] and "by the balancer" in alert["description"]

    # by what is hashed, by cookies: not as configured either, and the cause is named
    hashed, sticky = shown["hash"], shown["sticky"]
    assert hashed["picked_by"]["hash"] > 100 and hashed["picked_by"]["balancer"] == 0
    assert any("by what is hashed" in alert["description"] for alert in told["hash"])
    assert sticky["picked_by"]["sticky"] > 100
    assert any("by sticky cookies" in alert["description"] for alert in told["sticky"])
    assert "page" in text and "by sticky cookies" in text and "picked by: " in text

    # two are drained: nothing is wrong with the other two having all of it
    for pool in ("drained", "even"):
        assert told[pool] == [] and shown[pool]["alerts"] == []
        assert shown[pool]["states"]["capacity"] == "ok"
    assert [server["capacity"] for server in shown["drained"]["windows"][0]["servers"]] == [0.5, 0.5, 0, 0]

    assert metrics.value("twokey_distribution_state", pool="weights", ref="capacity") == 2
    assert metrics.value("twokey_distribution_state", pool="even", ref="capacity") == 0
    assert metrics.value("twokey_pool_effective_servers", pool="weights") < 1.2
    assert metrics.value("twokey_pool_share_ratio_max", pool="weights", ref="capacity") > 3.5
    assert metrics.value("twokey_pool_tvd", pool="even", ref="capacity") < 0.05
    assert metrics.value("twokey_server_share_expected", pool="drained", server="s1", ref="capacity") == 0.5
    assert again["states"]["capacity"] == "page" and again["windows"][0]["requests"] >= minute["requests"] / 2
