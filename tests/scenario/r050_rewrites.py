"""What the server sees instead: another prefix, path or host."""
import pytest

from support.client import get


@pytest.mark.parametrize("prefix, replaced_by, sent, seen", [
    ("/api", "/", "/api/x", "/x"), ("/api", "/", "/api", "/"), ("/api", "/", "/api/", "/"), ("/api", "/", "/api?a=b", "/?a=b"),
    ("/api", "/v2", "/api/x", "/v2/x"), ("/api", "/v2", "/api", "/v2"), ("/api", "/v2", "/api/", "/v2/"),
    ("/api", "/v2/", "/api/x", "/v2/x"), ("/api", "/v2/", "/api", "/v2/"), ("/api", "/v2/", "/api/", "/v2/"),
    ("/api/", "/v2", "/api/x", "/v2/x"), ("/api/", "/", "/api/x", "/x"), ("/api/", "/v2/", "/api/x?q", "/v2/x?q"),
    ("/", "/v2", "/x", "/v2/x"), ("/", "/v2/", "/", "/v2/"), ("/", "/v2", "/", "/v2/"),
    ("/api", "/v2", "/api/a%2Fb/%20c", "/v2/a%2Fb/%20c"), ("/api", "/v2", "/x/../api/./y", "/v2/y"),
    ("/api", "/", "/api//x", "//x")])
def test_a_prefix_is_replaced(make_proxy, origin, prefix, replaced_by, sent, seen):
    proxy = make_proxy(origin, route={"path_prefix": prefix, "rewrite": {"path_prefix": replaced_by}})
    assert get(proxy.address, sent).status == 200
    assert origin.wait_requests(1)[0].target == seen


def test_the_whole_path_is_replaced_and_the_query_stays(make_proxy, origin):
    proxy = make_proxy(origin, route={"rewrite": {"path": "/index.php"}})
    assert get(proxy.address, "/a/b?c=/d").status == 200
    assert origin.wait_requests(1)[0].target == "/index.php?c=/d"


def test_the_host_is_replaced_and_the_first_one_told(make_proxy, origin):
    proxy = make_proxy(origin, route={"rewrite": {"host": "inner.example"}})
    assert get(proxy.address).status == 200
    seen = origin.wait_requests(1)[0]
    assert (seen.header("host"), seen.header("x-forwarded-host")) == ("inner.example", "test.example")


def test_a_rewrite_of_the_prefix_follows_a_wildcard_route_too(make_proxy, origin):
    proxy = make_proxy(origin, route={"hosts": ["*.example"], "path_prefix": "/a/b", "rewrite": {"path_prefix": "/", "host": "x.example"}})
    assert get(proxy.address, "/a/b/c/d?e").status == 200
    seen = origin.wait_requests(1)[0]
    assert (seen.target, seen.header("host")) == ("/c/d?e", "x.example")
