"""The July morning, forced: nearly everything to one of four servers, as written, and taken back by itself."""
import pytest
from support.load import Trickle

pytestmark = pytest.mark.waits


def test_forced_and_taken_back(make_origin, make_enforced):
    proxy = make_enforced([make_origin() for _ in range(4)])
    dan = proxy.as_("dan", on_socket=True)
    weights = {"pools": {"app": {"servers": {"s1": {"weight": 1000}, **{f"s{i}": {"weight": 1} for i in (2, 3, 4)}}}}}
    with Trickle(proxy.address, per_second=40) as load:
        proxy.wait_for(lambda: load.statuses[200] >= 450, timeout=60)
        assert dan.post("/v1/breakglass", {"reason": "s1 is the strong one", "incident": "INC-7"}).status < 300
        refused = dan.post("/v1/changes?submit=true", {"title": "t", "reason": "r", "patch": weights})
        assert refused.status == 422 and "D001" in [finding["rule"] for finding in refused.json()["errors"]]
        rules = sorted({finding["rule"] for finding in refused.json()["errors"]})
        change = dan.submit(weights, override=rules)
        dan.apply(change)
        proxy.wait_for(lambda: dan.change(change)["state"] != "confirming", timeout=120)
    ended = dan.change(change)
    assert ended["state"] == "rolled_back" and ended["forced"]
    assert "distribution: pool app: s1 got 9" in ended["ended_why"] and "by capacity" in ended["ended_why"], ended["ended_why"]
    assert set(load.statuses) == {200}, "no request failed: only the shares gave it away"
