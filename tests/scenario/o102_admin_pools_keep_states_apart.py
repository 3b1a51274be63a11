"""/v1/pools shows what is configured, ordered, checked and observed, each in its place."""
from support.client import get
from support.origin import ok
from support.proxy import free_port


def test_a_dead_server_is_down_and_not_eligible(make_origin, make_proxy):
    alive = make_origin()
    dead = f"127.0.0.1:{free_port()}"
    proxy = make_proxy({"a": alive, "b": alive.address, "dead": {"address": dead, "weight": 7}},
                       pool={"health_check": {"path": "/", "interval": "200ms", "fast_interval": "100ms", "timeout": "1s", "fall": 2}})
    proxy.wait_for(lambda: proxy.server("dead")["oper"]["health"] == "down")
    proxy.wait_for(lambda: proxy.server("a")["oper"]["health"] == "up")
    pool = proxy.pool()
    assert [server["name"] for server in pool["servers"]] == ["a", "b", "dead"]
    assert pool["state"] == "degraded" and pool["panic"] is False
    assert pool["eligible"] == 2
    server = proxy.server("dead")
    assert server["config"] == {"weight": 7, "backup": False, "state": "ready", "capacity_rps": None, "max_connections": None}
    assert server["admin"] == {"state": "ready", "weight": None, "by": None, "reason": None, "expires": None}
    assert server["oper"]["eligible"] is False
    assert server["oper"]["since"].endswith("Z")
    assert server["addresses"][0]["address"] == dead
    assert server["addresses"][0]["last_check"]
    assert server["now"]["expected_percent"] == 0


def test_a_drained_server_is_told_from_a_dead_one(make_origin, make_proxy):
    origin = make_origin()
    proxy = make_proxy({"a": origin, "d": {"address": origin.address, "state": "drain"}, "m": {"address": origin.address, "state": "maint"}})
    drained, maint = proxy.server("d"), proxy.server("m")
    assert drained["config"]["state"] == drained["admin"]["state"] == "drain"
    assert maint["config"]["state"] == maint["admin"]["state"] == "maint"
    assert drained["oper"]["eligible"] is False and maint["oper"]["eligible"] is False
    assert drained["oper"]["why"] != maint["oper"]["why"]
    assert proxy.pool()["state"] == "ok"


def test_shares_are_observed_and_expected(make_origin, make_proxy):
    one, two = make_origin(ok(b"1")), make_origin(ok(b"2"))
    proxy = make_proxy({"one": {"address": one.address, "weight": 300}, "two": {"address": two.address, "weight": 100}},
                       pool={"slow_start": "0s"})
    for _ in range(80):
        assert get(proxy.address).status == 200
    servers = proxy.wait_for(lambda: (s := {x["name"]: x["now"] for x in proxy.pool()["servers"]})["one"]["share_percent"]
                             and s["two"]["share_percent"] and s)
    assert servers["one"]["expected_percent"] == 75
    proxy.wait_for(lambda: abs(proxy.server("one")["now"]["share_percent"] - 75) < 2)
    latency = proxy.server("one")["now"]["latency_ms"]
    assert 0 < latency["p50"] <= latency["p95"] <= latency["p99"]


def test_a_name_that_does_not_resolve_is_said(make_origin, make_proxy):
    proxy = make_proxy({"a": make_origin(), "nowhere": {"address": "does-not-exist.invalid:80"}})
    server = proxy.server("nowhere")
    assert server["addresses"] == []
    assert server["oper"]["eligible"] is False
    assert "resolve" in server["oper"]["why"]
    assert get(proxy.address).status == 200


def test_tables_for_people(make_origin, make_proxy):
    proxy = make_proxy({"s1": make_origin(), "s2": make_origin()})
    wants = {"Accept": "text/plain"}
    table = proxy.admin("GET", "/v1/pools", headers=wants).body.splitlines()
    assert table[0].split()[:3] == ["pool", "state", "balance"]
    assert table[1].split()[:3] == ["app", "ok", "round_robin"]
    table = proxy.admin("GET", "/v1/pools/app", headers=wants).body.splitlines()
    assert table[0].startswith("app: ok, round_robin, 2 of 2 servers eligible")
    assert len({line.index("127.0.0.1") for line in table[2:]}) == 1, "the addresses do not line up"
    one = proxy.admin("GET", "/v1/pools/app/servers/s2", headers=wants).body
    assert " s2 " in one and " s1 " not in one


def test_what_is_not_there_is_404_and_says_where_to_look(make_origin, make_proxy):
    proxy = make_proxy(make_origin())
    answer = proxy.admin("GET", "/v1/pools/shop")
    assert answer.status == 404 and answer.json()["next"] == "GET /v1/pools"
    answer = proxy.admin("GET", "/v1/pools/app/servers/s9")
    assert answer.status == 404 and answer.json()["next"] == "GET /v1/pools/app"
    assert proxy.admin("GET", "/v1/pools/%61pp").status == 200
    for path in ("/v1/pools/", "/v1/pools//servers/s1", "/v1/pools/app/", "/V1/pools", "/v1/pools/app%2Fservers", "/v1//pools"):
        assert proxy.admin("GET", path).status == 404, path
