"""POST /v1/explain with a change: what its configuration would do with a request, while nothing of it runs."""
import pytest
from support.client import get
from support.origin import named


@pytest.fixture
def proxy(make_origin, make_enforced):
    return make_enforced([make_origin(named("old"))], config={"pools": {"next": {"servers": {"n1": {"address": make_origin(named("new")).address}}}}})


def test_route_and_server_of_a_draft(proxy):
    ann = proxy.as_("ann")
    draft = ann.post("/v1/changes", {"title": "x", "reason": "y", "patch": {
        "routes": {"api": {"path_prefix": "/api", "pool": "next"}},
        "pools": {"next": {"servers": {"n2": {"address": "127.0.0.1:9"}}}}}}).json()
    now = ann.post("/v1/explain", {"path": "/api/x"}).json()
    then = ann.post("/v1/explain", {"path": "/api/x", "change": draft["id"]}).json()
    assert (now["route"], now["pool"]) == ("everything", "app")
    assert (then["route"], then["pool"]) == ("api", "next")
    assert set(then["eligible"]) | {one["server"] for one in then["not_eligible"]} == {"n1", "n2"}
    elsewhere = ann.post("/v1/explain", {"path": "/", "change": draft["id"]}).json()
    assert elsewhere["route"] == "everything" and elsewhere["eligible"] == ["s1"]
    for _ in range(50):
        assert ann.post("/v1/explain", {"path": "/api/x", "change": draft["id"]}).json()["route"] == "api"
    assert get(proxy.address, "/api/x").body == b"old"
    assert proxy.status()["revisions_alive"] == 1 and "n2" not in str(proxy.pool("next"))


def test_what_does_not_build_or_is_not_there(proxy):
    ann = proxy.as_("ann")
    draft = ann.post("/v1/changes", {"title": "x", "reason": "y", "patch": {"routes": {"api": {"path_prefix": "/api", "pool": "none"}}}}).json()
    wrong = ann.post("/v1/explain", {"path": "/", "change": draft["id"]})
    assert wrong.status == 422 and wrong.json()["type"].endswith("/findings-block") and wrong.json()["errors"]
    assert ann.post("/v1/explain", {"path": "/", "change": "chg_none"}).status == 404
    assert ann.post("/v1/explain", {"path": "/", "change": 7}).status == 422
