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


def test_a_hashed_request_goes_where_it_was_said_to_go(make_origin, make_proxy):
    servers = {name: make_origin(named(name)) for name in ("s1", "s2", "s3", "s4", "s5")}
    proxy = make_proxy(servers, pool={"balance": "maglev", "hash_on": "header:x-user"})
    seen = set()
    for user in range(20):
        said = explain(proxy, headers={"X-User": f"u{user}"})
        with Client(proxy.address) as client:
            client.send(build(headers={"X-User": f"u{user}"}))
            assert client.response().body.decode().strip().startswith(said["chosen"])
        assert said["reason"] == "hash"
        seen.add(said["chosen"])
    assert len(seen) > 1


def test_a_sticky_cookie_is_understood(make_origin, make_proxy):
    proxy = make_proxy({name: make_origin(named(name)) for name in ("s1", "s2", "s3")}, pool={"sticky": {"cookie": "tk"}})
    with Client(proxy.address) as client:
        client.send(build())
        answer = client.response()
    cookie = answer.header("set-cookie").split(";")[0]
    server = answer.body.decode().strip()[:2]
    for _ in range(5):
        said = explain(proxy, headers={"cookie": f"a=b; {cookie}"})
        assert (said["chosen"], said["reason"]) == (server, "sticky")
    assert explain(proxy, headers={"cookie": "tk=s1.forged"})["reason"] == "balancer"


def test_allow_and_deny_are_judged(make_origin, make_proxy):
    proxy = make_proxy(make_origin(), route={"allow": ["10.0.0.0/8", "127.0.0.2"], "deny": ["10.9.0.0/16"]})
    for address, access in (("10.1.1.1", "allowed"), ("10.9.1.1", "denied"), ("192.0.2.1", "denied"), ("::ffff:10.1.1.1", "allowed")):
        said = explain(proxy, client_ip=address)
        assert said["access"] == access, address
        assert said["status"] == (403 if access == "denied" else None)
        assert said["chosen"] == (None if access == "denied" else "s1")
    assert explain(proxy)["access"] == "unknown"
    with Client(proxy.address) as client:
        client.send(build())
        assert client.response().status == 403
