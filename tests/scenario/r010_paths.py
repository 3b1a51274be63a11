"""Exact path, then regular expression, then the longest prefix, by whole segments."""
import pytest

from support.client import get
from support.origin import named

ROUTES = {
    "exact": {"path": "/api/health", "pool": "exact"},
    "digits": {"path_regex": "/api/[0-9]+", "pool": "digits"},
    "api": {"path_prefix": "/api", "pool": "api"},
    "deep": {"path_prefix": "/api/v2/", "pool": "deep"},
    "dot": {"path": "/a.b", "pool": "dot"},
}


@pytest.fixture
def address(make_origin, make_proxy):
    pools = {name: {"servers": {"s1": {"address": make_origin(named(name)).address}}} for name in ROUTES}
    return make_proxy([], config={"pools": {"app": None, **pools}, "routes": {"everything": None, **ROUTES}}).address


@pytest.mark.parametrize("path, pool", [
    ("/api", b"api"), ("/api/", b"api"), ("/api/x", b"api"), ("/api?x=/y", b"api"),
    ("/api/health", b"exact"), ("/api/health?x", b"exact"), ("/api/health/", b"api"), ("/api/healthy", b"api"),
    ("/api/17", b"digits"), ("/api/17/x", b"api"), ("/api/17x", b"api"), ("/api/17?x=y", b"digits"),
    ("/api/v2/", b"deep"), ("/api/v2/x", b"deep"), ("/api/v2x", b"api"),
    ("/x/../api/y", b"api"), ("/api/./v2/x", b"deep"), ("/%61pi/v2/x", b"deep"), ("/api/v2/../x", b"api"),
    ("/a.b", b"dot"), ("/a%2Eb", b"dot")])
def test_the_most_specific_path_wins(address, path, pool):
    assert get(address, path).body == pool


@pytest.mark.parametrize("path", ["/", "/apix", "/ap", "/API", "/api%2Fhealth", "//api", "/axb", "/x"])
def test_what_only_looks_alike_gets_404(address, path):
    answer = get(address, path)
    assert (answer.status, answer.says_close) == (404, False)


def test_a_prefix_that_ends_with_a_slash_matches_the_segment_too(address):
    assert get(address, "/api/v2").body == b"deep"


def test_a_regular_expression_that_does_not_end_costs_a_404_not_a_worker(make_origin, make_proxy):
    origin = make_origin(named("app"))
    proxy = make_proxy(origin, config={"routes": {"evil": {"path_regex": "/(a+)+b", "pool": "app"}, "everything": None}})
    assert get(proxy.address, "/" + "a" * 2000).status == 404
    assert get(proxy.address, "/aab").status == 200
