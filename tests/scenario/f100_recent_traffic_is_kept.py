"""Requests appear in GET /v1/sample, with what decides where they go, and never with what is nobody's business."""
import json
import re

from support.client import Client, get
from support.origin import named, ok, reset

ONE = {"workers": 1}  # requests of several workers are only roughly in order


def sample_with(proxy, requests):
    """The sample, once that many requests are in it."""
    def look():
        sample = proxy.admin_get("/v1/sample")
        return sample if sample["requests"] >= requests else None
    return proxy.wait_for(look, what=f"for {requests} requests in the sample")


def kinds_of(sample):
    return {(kind["host"], kind["method"], kind["path"]): kind["requests"] for kind in sample["kinds"]}


def test_nothing_was_seen_yet(make_proxy, make_origin):
    sample = make_proxy([make_origin()]).admin_get("/v1/sample")
    assert sample == {"version": 1, "time": None, "seconds": 0, "requests": 0, "other_requests": 0, "kinds": [], "singles": []}


def test_each_kind_has_its_number(make_proxy, make_origin):
    proxy = make_proxy([make_origin()], process=ONE, config={"observe": {"access_log": {"path": "off"}}})
    with Client(proxy.address) as client:
        for method, target, host, times in (("GET", "/shop/cart/7?q=1", "Shop.Example.COM:80", 12), ("GET", "/shop/cart/8", "shop.example.com", 3),
                                            ("POST", "/shop/cart", "shop.example.com", 2), ("GET", "/", "api.example.com.", 5),
                                            ("GET", "/a/../%62/c/d", "api.example.com", 1)):
            for _ in range(times):
                assert client.request(method, target, headers={"Host": host}).status == 200
    sample = sample_with(proxy, 23)
    assert kinds_of(sample) == {("shop.example.com", "GET", "/shop/cart"): 15, ("shop.example.com", "POST", "/shop/cart"): 2,
                                ("api.example.com", "GET", "/"): 5, ("api.example.com", "GET", "/b/c"): 1}
    assert [kind["requests"] for kind in sample["kinds"]] == [15, 5, 2, 1]
    assert all(kind["requests_day"] == kind["requests"] and kind["listener"] == "web" and kind["scheme"] == "http"
               for kind in sample["kinds"])
    assert sample["requests"] == 23 and sample["other_requests"] == 0
    newest, oldest = sample["singles"][0], sample["singles"][-1]
    assert len(sample["singles"]) == 23
    assert newest["path"] == "/b/c/d" and oldest["path"] == "/shop/cart/7"
    assert {key: oldest[key] for key in ("listener", "scheme", "host", "method", "weight", "route", "pool", "server", "reason")} == {
        "listener": "web", "scheme": "http", "host": "shop.example.com", "method": "GET", "weight": 1, "route": "everything",
        "pool": "app", "server": "s1", "reason": oldest["reason"]}
    assert proxy.metrics().value("twokey_process_samples_dropped_total") == 0


def test_what_got_no_server_is_there_too(make_proxy, make_origin):
    origin = make_origin()
    proxy = make_proxy([], process=ONE, config={
        "pools": {"app": {"servers": {"s1": {"address": origin.address}}},
                  "gone": {"servers": {"s1": {"address": origin.address, "state": "maint"}}}},
        "routes": {"everything": None, "app": {"hosts": ["app"], "pool": "app"}, "gone": {"hosts": ["gone"], "pool": "gone"},
                   "fixed": {"hosts": ["fixed"], "respond": {"status": 200, "body": "x"}},
                   "mine": {"hosts": ["mine"], "deny": ["127.0.0.0/8"], "pool": "app"}}})
    for host, status in (("app", 200), ("gone", 503), ("fixed", 200), ("mine", 403), ("nobody", 404)):
        assert get(proxy.address, headers={"Host": host}).status == status
    singles = sample_with(proxy, 5)["singles"]
    assert [(one["host"], one["route"], one["pool"], one["server"]) for one in reversed(singles)] == [
        ("app", "app", "app", "s1"), ("gone", "gone", "gone", None), ("fixed", "fixed", None, None),
        ("mine", "mine", None, None), ("nobody", None, None, None)]


def test_nothing_secret_is_kept(make_proxy, make_origin):
    """Queries, cookies, credentials, bodies: in no corner of the sample; of conditions on credentials only that they held."""
    secret = "hunter2"
    proxy = make_proxy([], process=ONE, config={
        "pools": {"app": {"servers": {"s1": {"address": make_origin().address}, "s2": {"address": make_origin().address}},
                          "balance": "maglev", "hash_on": "cookie:session", "sticky": {"cookie": "tk"}}},
        "routes": {"everything": None, "plain": {"pool": "app"},
                   "auth": {"headers": {"Authorization": "Bearer " + secret}, "pool": "app"},
                   "key": {"headers": {"X-Api-Key": "other-" + secret}, "pool": "app"},
                   "beta": {"headers": {"X-Beta": "yes", "X-Long": "l" * 70}, "pool": "app"}}})
    with Client(proxy.address) as client:
        told = {"Cookie": f"session={secret}; tk={secret}", "Referer": f"http://a/?{secret}", "User-Agent": secret,
                "X-Secret": secret, "X-Beta": "no", "X-Api-Key": secret, "Proxy-Authorization": secret}
        assert client.request("POST", f"/cart?password={secret}", body=f"password={secret}".encode(), headers=told).status == 200
        assert client.request("GET", "/", headers={"Authorization": "Bearer " + secret}).status == 200
        assert client.request("GET", "/", headers={"X-Beta": "yes", "X-Long": "l" * 70}).status == 200
    sample = sample_with(proxy, 3)
    text = json.dumps(sample)
    assert secret not in text and "password" not in text and "session" not in text and "llll" not in text
    beta, auth, post = sample["singles"]
    assert post["route"] == "plain"
    by_name = {header["name"]: header for header in post["headers"]}
    assert by_name == {"x-api-key": {"name": "x-api-key", "value": None, "held": False},
                       "x-beta": {"name": "x-beta", "value": "no", "held": False}}
    assert auth["route"] == "auth"
    assert auth["headers"] == [{"name": "authorization", "value": None, "held": True}]
    assert beta["route"] == "beta"
    assert {header["name"]: (header["value"], header["held"]) for header in beta["headers"]} == {
        "x-beta": ("yes", True), "x-long": (None, True)}
    assert re.fullmatch("[0-9a-f]{16}", post["hash"]) and "hash" not in auth


def test_hashes_and_sticky_servers_are_told(make_proxy, make_origin):
    origins = {name: make_origin(named(name)) for name in ("s1", "s2")}
    proxy = make_proxy(origins, process=ONE, pool={"balance": "maglev", "hash_on": "header:X-User", "sticky": {"cookie": "tk"}})
    answers = [get(proxy.address, headers={"X-User": user}) for user in ("ann", "bob", "ann")]
    cookie = answers[0].header("set-cookie").split(";")[0]
    again = get(proxy.address, headers={"X-User": "bob", "Cookie": cookie})
    assert again.body == answers[0].body
    sticky, ann2, bob, ann = sample_with(proxy, 4)["singles"]
    assert ann["hash"] == ann2["hash"] != bob["hash"] == sticky["hash"]
    assert [one["reason"] for one in (ann, bob, sticky)] == ["hash", "hash", "sticky"]
    assert sticky["sticky"] == answers[0].body.decode() == sticky["server"] and "sticky" not in ann
    assert len({one["client"] for one in (ann, ann2, bob, sticky)}) == 1


def test_the_server_of_the_first_attempt_is_told(make_proxy, make_origin):
    bad, good = make_origin(reset()), make_origin(ok(b"good"))
    proxy = make_proxy({"bad": bad, "good": good}, pool={"balance": "round_robin", "ejection": {"consecutive_failures": 1000}})
    for _ in range(10):
        assert get(proxy.address).status in (200, 502)  # retries have a budget
    singles = sample_with(proxy, 10)["singles"]
    assert "bad" in {one["server"] for one in singles}  # though "good" answered
    assert all(one["reason"] != "retry" for one in singles)


def test_a_reload_forgets_nothing(make_proxy, make_origin):
    """Also of what is not configured any more."""
    origin = make_origin()
    config = {"pools": {"app": {"servers": {"s1": {"address": origin.address}}}},
              "routes": {"everything": None, "old": {"path_prefix": "/old", "pool": "app"}, "rest": {"pool": "app"}}}
    proxy = make_proxy([], process=ONE, config=config)
    for _ in range(5):
        assert get(proxy.address, "/old/x").status == 200
    sample_with(proxy, 5)
    proxy.reload({**proxy.config, "pools": {"new": {"servers": {"t1": {"address": origin.address}}}},
                  "routes": {"rest": {"pool": "new"}}})
    for _ in range(3):
        assert get(proxy.address, "/old/x").status == 200
    sample = sample_with(proxy, 8)
    assert [kind["requests"] for kind in sample["kinds"]] == [8]
    assert [(one["route"], one["pool"], one["server"]) for one in sample["singles"]] == 3 * [("rest", "new", "t1")] + 5 * [("old", "app", "s1")]


def test_who_may_see_it(make_enforced, make_origin):
    proxy = make_enforced([make_origin()])
    assert proxy.as_("ann").get("/v1/sample").status == 200
    assert proxy.as_("dan").get("/v1/sample").status == 200  # an auditor
    assert proxy.as_("cat").get("/v1/sample").status == 403  # viewer and approver
    assert proxy.nobody().get("/v1/sample").status == 401
