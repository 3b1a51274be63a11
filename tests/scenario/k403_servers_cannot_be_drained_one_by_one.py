"""E-26: what may not be done at once may not be done in small steps either."""
import pytest


@pytest.fixture
def proxy(make_origin, make_enforced):
    return make_enforced([make_origin() for _ in range(8)])


def put(proxy, server, body, person):
    return proxy.as_(person).put(f"/v1/pools/app/servers/{server}/state", body)


def test_e26_drain_everything_one_by_one(proxy):
    """By several people, with drain, maint and weight 0 in turn, and with steps back between them."""
    orders = [{"state": "drain"}, {"state": "maint"}, {"weight": 0}]
    done, answers = 0, []
    for number in range(1, 9):
        answer = put(proxy, f"s{number}", orders[number % 3], ("ann", "bob", "ci")[number % 3])
        answers.append(answer)
        done += answer.status == 200
    assert done == 2  # the third within ten minutes is refused, whoever asks
    guard = answers[-1].json()["guard"]
    assert len(guard["drains_in_10_minutes"]) == 2
    records = proxy.as_("dan").get("/v1/audit?from_seq=0&limit=200").json()["records"]
    denied = [record for record in records if record["event"] == "override.set" and record["outcome"] == "denied"]
    assert denied and denied[0]["data"]["problem"] == "capacity-guard"
    out = [server["name"] for server in proxy.pool()["servers"] if not server["oper"]["eligible"]]
    assert len(out) == 2


def test_e26_drains_that_are_over_count_too(proxy):
    for server in ("s1", "s2"):
        assert put(proxy, server, {"state": "drain"}, "bob").status == 200
        assert put(proxy, server, {"state": "ready"}, "bob").status == 200
    assert put(proxy, "s3", {"state": "drain"}, "ann").status == 409
    proxy.kill9()
    proxy.start()
    assert put(proxy, "s3", {"state": "drain"}, "ann").status == 409
    assert put(proxy, "s1", {"state": "drain"}, "ann").status == 200  # one of the two again: no other one


def test_e26_weights_are_summed(proxy):
    weight = 100
    while weight < 400:
        answer = put(proxy, "s1", {"weight": weight + 10}, "bob")
        if answer.status != 200:
            break
        weight += 10
    assert weight == 140  # 100 of 800 to 140 of 840: 4.2 %; 150 of 850 were 5.1 %
    problem = answer.json()
    assert problem["type"] == "/v1/problems/capacity-guard"
    assert problem["guard"]["tvd"]["limit"] == 0.05 < problem["guard"]["tvd"]["predicted"]
    assert put(proxy, "s2", {"weight": 130}, "ann").status == 409  # nor by another server
    assert put(proxy, "s1", {"weight": None}, "ann").status == 200  # back to where it was
    assert proxy.server("s1")["admin"]["weight"] is None
