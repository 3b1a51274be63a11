"""A weight moves a little traffic at once, and comes back as configured."""
from support.client import get
from support.origin import named


def put(proxy, body, server="s1"):
    return proxy.as_("bob").put(f"/v1/pools/app/servers/{server}/state", body)


def shares(proxy, requests=220):
    answered = [get(proxy.address).body for _ in range(requests)]
    return {name: answered.count(name) for name in set(answered)}


def test_traffic_follows(make_origin, make_enforced):
    proxy = make_enforced([make_origin(named("s1")), make_origin(named("s2"))],
                          pool={"balance": "round_robin"}, process={"workers": 1})
    answer = put(proxy, {"weight": 120, "reason": "warmer", "expires": "1h"})
    assert answer.status == 200, answer.body
    assert answer.json()["admin"]["weight"] == 120 and answer.json()["admin"]["state"] == "ready"
    assert answer.json()["guard"]["tvd"] == {"predicted": 0.045, "limit": 0.05}
    got = shares(proxy)
    assert 118 <= got[b"s1"] <= 122 and 98 <= got[b"s2"] <= 102, got
    assert put(proxy, {"weight": 200}).status == 409
    assert put(proxy, {"weight": None}).json()["admin"]["weight"] is None
    got = shares(proxy)
    assert 108 <= got[b"s1"] <= 112, got


def test_a_weight_leaves_the_state_to_the_configuration(make_origin, make_enforced):
    proxy = make_enforced([make_origin(named(f"s{i}")) for i in (1, 2, 3, 4)])
    assert put(proxy, {"weight": 110}).status == 200
    proxy.run_change({"pools": {"app": {"servers": {"s1": {"state": "drain"}}}}}, approvers=["bob"])
    assert proxy.server("s1")["admin"] == {"state": "drain", "weight": 110, "by": "bob", "reason": None, "expires": None}
