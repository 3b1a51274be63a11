"""A route may be for some listeners only, and for one scheme."""
from support.client import get
from support.origin import named
from support.proxy import free_port


def test_routes_by_listener(make_origin, make_proxy):
    inner = f"127.0.0.1:{free_port()}"
    pools = {name: {"servers": {"s1": {"address": make_origin(named(name)).address}}} for name in ("inside", "outside")}
    proxy = make_proxy([], config={
        "listeners": {"inner": {"address": inner}}, "pools": {"app": None, **pools},
        "routes": {"everything": None, "inside": {"listeners": ["inner"], "pool": "inside"}, "outside": {"listeners": ["web"], "pool": "outside"}}})
    assert get(proxy.address_of("inner")).body == b"inside"
    assert get(proxy.address_of("web")).body == b"outside"


def test_a_scheme_that_the_listener_does_not_speak_never_matches(make_origin, make_proxy):
    proxy = make_proxy(make_origin(named("app")), route={"scheme": "https"}, config={
        "routes": {"plain": {"scheme": "http", "redirect": {"location": "https://{host}{uri}", "status": 308}}}})
    answer = get(proxy.address, "/a?b=c")
    assert (answer.status, answer.header("location")) == (308, "https://test.example/a?b=c")
    assert get(proxy.address, "https://test.example/").status == 400


def test_no_client_can_claim_https(make_origin, make_proxy):
    proxy = make_proxy(make_origin(named("app")), route={"scheme": "https"})
    assert get(proxy.address, headers={"X-Forwarded-Proto": "https", "Forwarded": "proto=https"}).status == 404
