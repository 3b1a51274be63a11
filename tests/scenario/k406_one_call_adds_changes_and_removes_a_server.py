"""Add, change, remove a server: one curl each makes a change of that one edit, and submits it."""
import pytest
from support.client import get
from support.origin import named


@pytest.fixture
def four(make_origin):
    return [make_origin(named(f"s{i}")) for i in (1, 2, 3, 4)]


@pytest.fixture
def proxy(four, make_enforced):
    return make_enforced(four[:3], pool={"balance": "round_robin"})


def submitted(answer):
    assert answer.status == 202, answer.body
    change = answer.json()
    assert answer.headers["Location"] == f"/v1/changes/{change['id']}"
    assert change["state"] == "pending" and change["author"] == "ann"
    return change


def through(proxy, change):
    proxy.as_("bob").approve(change)
    if change["approvals"]["required"] > 1:
        proxy.as_("dan").approve(change)
    proxy.as_("ann").apply(change)
    proxy.as_("ann").confirm(change)


def names(proxy):
    return [server["name"] for server in proxy.pool()["servers"]]


def test_a_server_more(proxy, four):
    change = submitted(proxy.as_("ann").post("/v1/pools/app/servers", {"name": "s4", "address": four[3].address, "weight": 100}))
    assert change["class"] == 2 and change["approvals"]["required"] == 1
    assert "s4" in change["title"]
    assert names(proxy) == ["s1", "s2", "s3"]  # nothing happened yet
    through(proxy, change)
    assert names(proxy) == ["s1", "s2", "s3", "s4"]
    proxy.wait_for(lambda: get(proxy.address).body == b"s4", what="s4 to answer")


def test_a_server_that_changes(proxy):
    ann = proxy.as_("ann")
    change = submitted(ann.patch("/v1/pools/app/servers/s1", {"weight": 80, "capacity_rps": 500, "reason": "it is slow"}))
    assert change["reason"] == "it is slow" and change["class"] == 2
    through(proxy, change)
    config = proxy.server("s1")["config"]
    assert (config["weight"], config["capacity_rps"]) == (80, 500)
    change = submitted(ann.patch("/v1/pools/app/servers/s1", {"capacity_rps": None}))
    assert change["deletes"] == ["/pools/app/servers/s1/capacity_rps"]
    through(proxy, change)
    assert proxy.server("s1")["config"]["capacity_rps"] is None


def test_a_server_less(proxy):
    change = submitted(proxy.as_("ann").delete("/v1/pools/app/servers/s3?title=s3%20is%20sold&reason=age"))
    assert change["deletes"] == ["/pools/app/servers/s3"]
    assert (change["title"], change["reason"], change["class"]) == ("s3 is sold", "age", 2)
    through(proxy, change)
    assert names(proxy) == ["s1", "s2"]
    change = submitted(proxy.as_("ann").delete("/v1/pools/app/servers/s2"))
    assert change["class"] == 3  # one of two


def test_what_is_not_there_and_what_is(proxy):
    ann = proxy.as_("ann")
    assert ann.patch("/v1/pools/app/servers/s9", {"weight": 1}).status == 404
    assert ann.delete("/v1/pools/app/servers/s9").status == 404
    assert ann.post("/v1/pools/none/servers", {"name": "s1", "address": "127.0.0.1:1"}).status == 404
    answer = ann.post("/v1/pools/app/servers", {"name": "s1", "address": "127.0.0.1:1"})
    assert answer.status == 409 and answer.json()["next"] == "PATCH /v1/pools/app/servers/s1"
    assert ann.post("/v1/pools/app/servers", {"address": "127.0.0.1:1"}).status == 422
    assert ann.post("/v1/pools/app/servers", {"name": "S 4", "address": "127.0.0.1:1"}).status == 422


def test_what_does_not_build_makes_no_change(proxy):
    ann = proxy.as_("ann")
    answer = ann.post("/v1/pools/app/servers", {"name": "s4", "address": "nowhere"})
    assert answer.status == 422 and answer.json()["errors"][0]["pointer"] == "/pools/app/servers/s4/address", answer.body
    assert ann.post("/v1/pools/app/servers", {"name": "s4"}).status == 422
    assert ann.get("/v1/changes").json()["changes"] == []


def test_it_takes_an_author(proxy):
    answer = proxy.as_("cat").delete("/v1/pools/app/servers/s1")
    assert answer.status == 403
    assert "author" in answer.json()["needs"]


def test_the_base_may_be_named(proxy):
    ann = proxy.as_("ann")
    digest = proxy.status()["running"]["digest"]
    answer = ann.delete("/v1/pools/app/servers/s3", headers={"If-Match": '"sha256:%s"' % ("0" * 64)})
    assert answer.status == 412
    submitted(ann.delete("/v1/pools/app/servers/s3", headers={"If-Match": f'"{digest}"'}))
