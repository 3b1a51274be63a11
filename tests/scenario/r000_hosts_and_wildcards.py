"""The most specific host wins: exact, then the longest wildcard, then any."""
import pytest

from support.client import get
from support.origin import named

ROUTES = {
    "exact": {"hosts": ["a.shop.example"], "pool": "exact"},
    "long": {"hosts": ["*.b.shop.example"], "pool": "long"},
    "short": {"hosts": ["*.shop.example"], "pool": "short"},
    "bare": {"hosts": ["shop.example", "other.example"], "pool": "bare"},
    "everything": {"pool": "any"},
}


@pytest.fixture
def address(make_origin, make_proxy):
    pools = {name: {"servers": {"s1": {"address": make_origin(named(name)).address}}}
             for name in ("exact", "long", "short", "bare", "any")}
    return make_proxy([], config={"pools": {"app": None, **pools}, "routes": ROUTES}).address


@pytest.mark.parametrize("host, pool", [
    ("a.shop.example", b"exact"), ("A.Shop.Example", b"exact"), ("a.shop.example:8080", b"exact"),
    ("a.shop.example.", b"exact"), ("b.shop.example", b"short"), ("x.b.shop.example", b"long"),
    ("y.x.b.shop.example", b"long"), ("x.a.shop.example", b"short"), ("shop.example", b"bare"),
    ("other.example", b"bare"), ("xshop.example", b"any"), ("x.other.example", b"any"),
    ("shop.example.org", b"any"), ("127.0.0.1", b"any"), ("[::1]:80", b"any")])
def test_the_most_specific_host_wins(address, host, pool):
    assert get(address, host=host).body == pool


def test_the_host_of_an_absolute_target_counts(address):
    assert get(address, "http://a.shop.example/", host="shop.example").body == b"exact"


def test_a_request_without_host_takes_the_route_for_any(address):
    assert get(address, host=None, version="1.0").body == b"any"
