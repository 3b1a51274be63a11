"""POST /v1/explain says which route and server a request gets, and that is what it then gets."""
from support.client import Client, build
from support.origin import named
from support.proxy import free_port

ROUTES = {
    "api": {"hosts": ["shop.example"], "path_prefix": "/api", "pool": "api"},
    "api-beta": {"hosts": ["shop.example"], "path_prefix": "/api", "headers": {"x-beta": "1"}, "pool": "beta"},
    "post": {"hosts": ["shop.example"], "path_prefix": "/api", "methods": ["POST"], "pool": "beta"},
    "exact": {"path": "/api/exact", "hosts": ["shop.example"], "respond": {"status": 204}},
    "wild": {"hosts": ["*.example"], "pool": "beta"},
    "old": {"hosts": ["old.example"], "redirect": {"location": "http://shop.example{path}", "status": 301}},
    "regex": {"path_regex": "^/item/[0-9]+$", "hosts": ["shop.example"], "pool": "beta"},
    "canary": {"hosts": ["split.example"], "split": {"api": 90, "beta": 10}},
}


def start(make_origin, start_proxy):
    return start_proxy({
        "process": {"workers": 1},
        "listeners": {"web": {"address": f"127.0.0.1:{free_port()}"}},
        "pools": {"api": {"servers": {"a1": {"address": make_origin(named("api")).address}}},
                  "beta": {"servers": {"b1": {"address": make_origin(named("beta")).address},
                                       "b2": {"address": "127.0.0.1:1", "state": "drain"}}}},
        "routes": ROUTES,
    })


def explain(proxy, **request):
    answer = proxy.admin("POST", "/v1/explain", request)
    assert answer.status == 200, answer.body
    return answer.json()


def test_the_route_is_the_one_that_traffic_takes(make_origin, start_proxy):
    proxy = start(make_origin, start_proxy)
    rows = [
        ({"host": "shop.example", "path": "/api/x"}, "api"),
        ({"host": "SHOP.example:80", "path": "/api/./y/../x?q=1"}, "api"),
        ({"host": "shop.example.", "path": "/api/x", "headers": {"X-Beta": "1"}}, "api-beta"),
        ({"host": "shop.example", "path": "/api/x", "method": "POST"}, "post"),
        ({"host": "shop.example", "path": "/api/exact"}, "exact"),
        ({"host": "shop.example", "path": "/apix"}, "wild"),
        ({"host": "a.b.example", "path": "/"}, "wild"),
        ({"host": "old.example", "path": "/x"}, "old"),
        ({"host": "shop.example", "path": "/item/12"}, "regex"),
        ({"host": "elsewhere.test", "path": "/"}, None),
        ({}, None),
    ]
    for request, route in rows:
        said = explain(proxy, **request)
        assert said["route"] == route, (request, said)
        with Client(proxy.address) as client:
            client.send(build(request.get("method", "GET"), request.get("path", "/"), request.get("headers"),
                              host=request.get("host", "nobody.test")))
            answer = client.response()
        if said["action"] == "pool":
            assert answer.body.decode().strip().startswith(said["pool"]), (request, said, answer)
        else:
            assert answer.status == said["status"], (request, said, answer)


def test_it_says_why_not(make_origin, start_proxy):
    proxy = start(make_origin, start_proxy)
    said = explain(proxy, host="shop.example", path="/api/x")
    rejected = {row["route"]: row["why"] for row in said["rejected"]}
    assert "api-beta" in rejected and "header" in rejected["api-beta"]
    assert "post" in rejected and "method" in rejected["post"]
    said = explain(proxy, host="b.example")
    assert said["eligible"] == ["b1"] and said["chosen"] == "b1"
    assert said["not_eligible"][0]["server"] == "b2" and "drain" in said["not_eligible"][0]["why"]
    assert said["method"] == "round_robin"


def test_splits_redirects_and_paths_that_are_none(make_origin, start_proxy):
    proxy = start(make_origin, start_proxy)
    said = explain(proxy, host="split.example")
    assert said["action"] == "split" and said["pool"] == "api"
    assert said["split"] == [{"pool": "api", "percent": 90}, {"pool": "beta", "percent": 10}]
    assert explain(proxy, host="old.example")["status"] == 301
    assert proxy.admin("POST", "/v1/explain", {"path": "/../etc"}).status == 422
    assert proxy.admin("POST", "/v1/explain", {"path": "/%00"}).status == 422


def test_people_get_text(make_origin, start_proxy):
    proxy = start(make_origin, start_proxy)
    text = proxy.admin("POST", "/v1/explain", {"host": "b.example"}, headers={"Accept": "text/plain"}).body
    assert "route   wild\n" in text and "pool    beta (round_robin)\n" in text and "chosen  b1 (" in text


def test_explaining_sends_nothing_and_moves_nothing(make_origin, make_proxy):
    one, two = make_origin(), make_origin()
    proxy = make_proxy([one, two])
    for _ in range(50):
        assert explain(proxy)["chosen"] in ("s1", "s2")
    assert len(one.requests) + len(two.requests) == 0
    assert proxy.metrics().value("twokey_pool_requests_total", pool="app") == 0
