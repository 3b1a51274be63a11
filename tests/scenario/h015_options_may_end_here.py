"""OPTIONS with Max-Forwards: 0 is answered by the proxy, any other goes on with one less (RFC 9110 section 7.6.2)."""
from support.client import Client, build
from support.origin import ok


def ask(proxy, method, hops):
    client = Client(proxy.address)
    client.send(build(method, "/x", [("Max-Forwards", hops)]))
    return client.response(method)


def test_at_nought_the_proxy_answers(make_origin, make_proxy):
    origin = make_origin(ok(b"far"))
    proxy = make_proxy([origin])
    answer = ask(proxy, "OPTIONS", "0")
    assert answer.status == 204
    assert "OPTIONS" in answer.header("allow")
    assert ask(proxy, "OPTIONS", "2").body == b"far"
    assert [request.header("max-forwards") for request in origin.requests] == ["1"]


def test_other_methods_are_not_counted(make_origin, make_proxy):
    origin = make_origin(ok(b"far"))
    proxy = make_proxy([origin])
    assert ask(proxy, "GET", "0").body == b"far"
    assert origin.requests[0].header("max-forwards") == "0"
