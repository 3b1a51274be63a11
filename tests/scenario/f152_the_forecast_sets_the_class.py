"""What a change would do to recent traffic decides its class and findings, and is asked again at apply (SM-2)."""
import pytest
from support.client import get


def seen(proxy, requests):
    """The sample has them all."""
    ann = proxy.as_("ann")
    proxy.wait_for(lambda: (ann.get("/v1/sample").json()["requests"] or 0) >= requests)


def send(proxy, path, count):
    for _ in range(count):
        assert get(proxy.address, path).status == 200


@pytest.fixture
def proxy(make_origin, make_enforced):
    shop, api = [make_origin() for _ in range(3)], make_origin()
    return make_enforced(shop, config={
        "pools": {"api": {"servers": {"x": {"address": api.address, "capacity_rps": 1},
                                      "y": {"address": shop[0].address, "capacity_rps": 1}}}},
        "routes": {"api": {"path_prefix": "/api", "pool": "api"}}})


SHIFT = {"routes": {"cart": {"path_prefix": "/cart", "pool": "api"}}}


def test_numbers_of_traffic(proxy):
    send(proxy, "/cart/1", 40)
    seen(proxy, 40)
    ann = proxy.as_("ann")
    change = ann.submit({**SHIFT, "pools": {"api": {"servers": {server: {"capacity_rps": 100000} for server in "xy"}}}})
    impact = ann.get(f"/v1/changes/{change['id']}/impact").json()
    rows = {pool["pool"]: pool for pool in impact["pools"]}
    assert impact["traffic"]["requests"] == 40 and impact["traffic"]["unknown"] == 0
    assert rows["app"]["requests_per_second"]["before"] > 0 and rows["app"]["requests_per_second"]["after"] == 0
    assert rows["api"]["requests_per_second"]["after"] == rows["app"]["requests_per_second"]["before"]
    assert impact["moves"][0]["to"] == {"route": "cart", "pool": "api"} and impact["moves"][0]["example"].endswith("/cart/1")
    assert impact["routes_losing_traffic"] == ["everything"]
    explained = ann.post("/v1/explain", {"path": "/cart/1", "change": change["id"]}).json()
    assert (explained["route"], explained["pool"]) == ("cart", "api")
    text = ann.get(f"/v1/changes/{change['id']}/impact", headers={"Accept": "text/plain"}).body
    assert text.split("\n")[0].split() == ["server", "share", "requests/s", "capacity", "used"]


def test_load_above_capacity_that_only_routes_bring(proxy):
    send(proxy, "/cart/1", 200)
    seen(proxy, 200)
    answer = proxy.as_("ann").post("/v1/changes?submit=true", {"title": "t", "reason": "r", "patch": SHIFT})
    assert answer.status == 422 and "C002" in {row["rule"] for row in answer.json()["errors"]}, answer.body
    answer = proxy.as_("ann").post("/v1/changes?submit=true", {"title": "t", "reason": "r", "patch": SHIFT, "override": ["C002", "C001"]})
    assert answer.status == 201 and answer.json()["class"] == 3, answer.body
    impact = proxy.as_("ann").get(f"/v1/changes/{answer.json()['id']}/impact").json()
    assert "over-capacity" in {row["rule"] for row in impact["reasons"]}


def test_nobody_left_for_requests_that_come(proxy):
    send(proxy, "/", 20)
    seen(proxy, 20)
    orders = [{"pool": "app", "server": server, "state": "drain"} for server in ("s1", "s2", "s3")]
    answer = proxy.as_("ann").post("/v1/changes?submit=true", {"title": "t", "reason": "r", "overrides": orders})
    assert answer.status == 422 and {(row["rule"], row["severity"]) for row in answer.json()["errors"]} >= {("D006", "block")}, answer.body


def test_traffic_that_came_since_raises_the_class(proxy):
    ann, bob = proxy.as_("ann"), proxy.as_("bob")
    change = ann.submit({"pools": {"api": {"slow_start": "7s"}}})
    assert change["class"] == 2
    bob.approve(change)
    send(proxy, "/api/1", 200)
    seen(proxy, 200)
    refused = ann.post(f"/v1/changes/{change['id']}/apply")
    assert refused.status == 409 and "of class 3 now" in refused.json()["detail"], refused.body
    now = ann.change(change["id"])
    assert now["state"] == "draft" and now["iteration"] == change["iteration"] + 1 and not now["approvals"]["given"]
