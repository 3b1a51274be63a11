"""An answer that sends the client elsewhere."""
import pytest

from support.client import Client, get


def proxy_to(make_proxy, location, status=302):
    return make_proxy([], config={"pools": {"app": None}, "routes": {"everything": {
        "pool": None, "redirect": {"location": location, "status": status}}}})


@pytest.mark.parametrize("location, target, got", [
    ("https://new.example{path}", "/a/b?c", "https://new.example/a/b"),
    ("https://new.example{uri}", "/a/b?c=d&e", "https://new.example/a/b?c=d&e"),
    ("https://new.example{uri}", "/a", "https://new.example/a"),
    ("https://{host}/x{query}", "/a?c", "https://test.example/x?c"),
    ("https://{host}/x{query}", "/a", "https://test.example/x"),
    ("/fixed", "/a", "/fixed"),
    ("https://{host}{path}{query}", "/%41/../b%2fc?%41", "https://test.example/b%2fc?%41")])
def test_the_location_is_filled_in(make_proxy, location, target, got):
    answer = get(proxy_to(make_proxy, location).address, target)
    assert (answer.status, answer.header("location")) == (302, got)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_each_status(make_proxy, status):
    proxy = proxy_to(make_proxy, "https://new.example/", status)
    with Client(proxy.address) as client:
        for method in ("GET", "HEAD", "POST"):
            answer = client.request(method, body=b"x" if method == "POST" else None)
            assert (answer.status, answer.header("location")) == (status, "https://new.example/")
        assert client.request("GET").status == status


def test_the_host_comes_without_its_port(make_proxy):
    answer = get(proxy_to(make_proxy, "https://{host}{uri}").address, "/x", host="Shop.Example:8080")
    assert answer.header("location") == "https://shop.example/x"


@pytest.mark.parametrize("location, target, got", [
    ("{path}", "//evil.example/x", "/evil.example/x"), ("{uri}", "///evil.example?a", "/evil.example?a"),
    ("{path}", "/a//b", "/a//b"), ("https://new.example{path}", "//a", "https://new.example//a")])
def test_two_slashes_do_not_lead_to_another_host(make_proxy, location, target, got):
    assert get(proxy_to(make_proxy, location).address, target).header("location") == got
