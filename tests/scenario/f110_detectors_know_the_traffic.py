"""What was requested is known to the detectors when somebody proposes a change: no fixture, real requests."""
import pytest
from support.client import Client

HOSTS = {"shop.example.com": 30, "old.example.com": 7}


@pytest.fixture
def proxy(make_origin, make_enforced):
    def servers():
        return {name: {"address": make_origin().address, "capacity_rps": 5} for name in ("s1", "s2")}
    return make_enforced([], config={
        "pools": {"app": {"servers": servers(), "health_check": {}},
                  "hashed": {"servers": servers(), "balance": "maglev", "hash_on": "header:X-Tenant", "health_check": {}}},
        "routes": {"everything": None, "shop": {"hosts": ["shop.example.com"], "pool": "app"},
                   "old": {"hosts": ["old.example.com"], "pool": "app"},
                   "never": {"hosts": ["never.example.com"], "pool": "app"},
                   "tenants": {"hosts": ["tenants.example.com"], "pool": "hashed"}}})


def findings(proxy, patch):
    body = {"title": "x", "reason": "y", "patch": patch,
            "deletes": [f"/routes/{name}" for name, route in patch.get("routes", {}).items() if route is None]}
    answer = proxy.as_("ann").post("/v1/changes?dry_run=true", body)
    assert answer.status == 200, answer.body
    return [(one["rule"], one["pointer"], one["message"]) for one in answer.json()["findings"]]


def find(proxy, patch, rule, pointer, text):
    """Waits: counters are read once a second, and so is the sample."""
    return proxy.wait_for(lambda: [one for one in findings(proxy, patch)
                                   if one[:2] == (rule, pointer) and text in one[2]], what=f"for {rule} {text}")


def send(proxy, host, times, headers=None):
    with Client(proxy.address) as client:
        for _ in range(times):
            assert client.request("GET", "/", headers={"Host": host, **(headers or {})}).status == 200


NOTHING = {"process": {"shutdown_timeout": "31s"}}


def test_before_the_first_request_nothing_is_known(proxy):
    said = findings(proxy, {"routes": {"old": None}})
    assert any(rule == "X005" and "unknown" in message for rule, _, message in said)
    assert any(rule == "C001" and "unknown" in message for rule, _, message in said)


def test_routes_and_hosts_that_had_requests(proxy):
    for host, times in HOSTS.items():
        send(proxy, host, times)
    find(proxy, {"routes": {"old": None}}, "X005", "/routes/old", "had 7 requests in 7 days")
    find(proxy, {"routes": {"old": None}}, "R017", "/routes/old/hosts", "old.example.com, which had 7 requests")
    said = findings(proxy, {"routes": {"never": None}})
    assert not [one for one in said if one[0] in ("X005", "R017")], said


def test_peaks_are_held_against_capacities(proxy):
    send(proxy, "shop.example.com", 300)
    find(proxy, NOTHING, "C001", "/pools/app/servers", "the peak was")
    find(proxy, NOTHING, "C002", "/pools/app/servers/s1/capacity_rps", "is expected to get")
    assert not [one for one in findings(proxy, NOTHING) if one[:2] == ("C001", "/pools/hashed/servers")]


def test_a_hash_of_one_value_is_seen(proxy):
    send(proxy, "tenants.example.com", 250, {"X-Tenant": "acme"})
    find(proxy, NOTHING, "D010", "/pools/hashed/hash_on", "had 1 values for 2 servers")


def test_a_hash_of_an_absent_header_is_seen(proxy):
    send(proxy, "tenants.example.com", 250)
    find(proxy, NOTHING, "D010", "/pools/hashed/hash_on", "had 1 values for 2 servers")


def test_what_is_known_outlives_a_restart(proxy):
    send(proxy, "old.example.com", 7)
    find(proxy, {"routes": {"old": None}}, "X005", "/routes/old", "had 7 requests in 7 days")
    proxy.stop()
    proxy.start()
    find(proxy, {"routes": {"old": None}}, "X005", "/routes/old", "had 7 requests in 7 days")
