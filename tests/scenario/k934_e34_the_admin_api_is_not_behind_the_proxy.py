"""E-34: a route to the admin listener, or to twokey itself, is blocked; and nobody is let in by where he comes from."""
from support.client import get


def test_a_server_that_is_the_admin_listener(make_origin, make_enforced):
    proxy = make_enforced([make_origin()])
    ann = proxy.as_("ann")
    for address in (proxy.admin_address, proxy.address):
        body = {"title": "x", "reason": "y", "patch": {"pools": {"sly": {"servers": {"a": {"address": address}}}},
                                                       "routes": {"sly": {"path_prefix": "/v1", "pool": "sly"}}}}
        answer = ann.post("/v1/changes?submit=true", body)
        assert answer.status == 422 and "R007" in {error["rule"] for error in answer.json()["errors"]}, answer.body
        overridden = ann.post("/v1/changes?submit=true", {**body, "override": ["R007"]})
        assert overridden.status == 422, overridden.body
    assert ann.get("/v1/changes").json()["changes"] == []


def test_the_data_listener_has_no_api(make_origin, make_enforced):
    origin = make_origin()
    proxy = make_enforced([origin])
    get(proxy.address, "/v1/status")
    origin.wait_requests(1)  # it went to the server, like any other path
