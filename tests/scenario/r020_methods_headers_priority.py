"""Methods, then header fields, then the name decide between routes of one path; priority overrides all."""
from support.client import get, Client
from support.origin import named


def proxy_with(make_origin, make_proxy, routes):
    pools = {name: {"servers": {"s1": {"address": make_origin(named(name)).address}}} for name in routes}
    for name in routes:
        routes[name]["pool"] = name
    return make_proxy([], config={"pools": {"app": None, **pools}, "routes": {"everything": None, **routes}})


def test_methods(make_origin, make_proxy):
    proxy = proxy_with(make_origin, make_proxy, {"reads": {"methods": ["GET", "HEAD"]}, "writes": {"methods": ["POST", "PURGE"]}})
    with Client(proxy.address) as client:
        for method, want in (("GET", b"reads"), ("POST", b"writes"), ("PURGE", b"writes")):
            assert client.request(method).body == want
        assert client.request("DELETE").status == 404
        assert client.request("GET").body == b"reads"


def test_header_fields_must_all_be_there(make_origin, make_proxy):
    proxy = proxy_with(make_origin, make_proxy, {
        "beta": {"headers": {"x-beta": "1"}}, "both": {"headers": {"x-beta": "1", "x-team": "red"}}, "plain": {}})
    assert get(proxy.address).body == b"plain"
    assert get(proxy.address, headers={"X-Beta": "1"}).body == b"beta"
    assert get(proxy.address, headers={"X-Beta": "1", "X-TEAM": "red"}).body == b"both"
    assert get(proxy.address, headers={"X-Beta": "1", "X-Team": "blue"}).body == b"beta"
    assert get(proxy.address, headers={"X-Beta": "12"}).body == b"plain"


def test_a_method_is_more_specific_than_header_fields(make_origin, make_proxy):
    proxy = proxy_with(make_origin, make_proxy, {"a-header": {"headers": {"x-beta": "1"}}, "b-method": {"methods": ["GET"]}})
    assert get(proxy.address, headers={"X-Beta": "1"}).body == b"b-method"


def test_the_name_decides_in_the_end(make_origin, make_proxy):
    proxy = proxy_with(make_origin, make_proxy, {"bbb": {"path_prefix": "/x"}, "aaa": {"path_prefix": "/x"}})
    assert get(proxy.address, "/x").body == b"aaa"


def test_a_host_is_more_specific_than_a_path(make_origin, make_proxy):
    proxy = proxy_with(make_origin, make_proxy, {"path": {"path": "/x"}, "host": {"hosts": ["test.example"]}})
    assert get(proxy.address, "/x").body == b"host"


def test_when_conditions_fail_the_next_best_route_is_asked(make_origin, make_proxy):
    proxy = proxy_with(make_origin, make_proxy, {
        "host": {"hosts": ["test.example"], "methods": ["POST"]}, "wild": {"hosts": ["*.example"], "path": "/y"}, "any": {}})
    assert get(proxy.address, "/y").body == b"wild"
    assert get(proxy.address, "/z").body == b"any"


def test_priority_overrides_how_specific_a_route_is(make_origin, make_proxy):
    proxy = proxy_with(make_origin, make_proxy, {
        "exact": {"hosts": ["test.example"], "path": "/x"}, "first": {"path_prefix": "/", "priority": 10}, "last": {"priority": -1}})
    assert get(proxy.address, "/x").body == b"first"
