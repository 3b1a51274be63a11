"""A route sets and removes fields, of the request and of the response."""
from support.client import Client, get
from support.h2 import H2Client
from support.origin import echo, interim, ok


def test_request_fields(make_proxy, origin):
    proxy = make_proxy(origin, route={"request_headers": {"set": {"X-Edge": "1", "x-twice": "new", "user-agent": "edge"}, "remove": ["X-Internal", "cookie"]}})
    headers = [("x-internal", "a"), ("X-Internal", "b"), ("X-Twice", "old"), ("x-TWICE", "older"), ("Cookie", "a=b"), ("User-Agent", "me"), ("X-Kept", "yes")]
    assert get(proxy.address, headers=headers).status == 200
    seen = origin.wait_requests(1)[0].headers
    assert seen.all("x-internal") == [] and seen.all("cookie") == []
    assert seen.all("x-twice") == ["new"] and seen.all("x-edge") == ["1"]
    assert seen.all("user-agent") == ["edge"] and seen.all("x-kept") == ["yes"]


def test_response_fields(make_proxy, make_origin):
    origin = make_origin(ok(b"x", [("Server", "secret/1.2"), ("X-Powered-By", "y"), ("Cache-Control", "no-store"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]))
    proxy = make_proxy(origin, route={"response_headers": {
        "set": {"strict-transport-security": "max-age=63072000", "cache-control": "public"}, "remove": ["server", "X-Powered-By"]}})
    with Client(proxy.address) as client:
        for _ in range(2):
            answer = client.request()
            assert answer.headers.all("server") == [] and answer.headers.all("x-powered-by") == []
            assert answer.header("strict-transport-security") == "max-age=63072000"
            assert answer.headers.all("cache-control") == ["public"]
            assert answer.headers.all("set-cookie") == ["a=1", "b=2"]


def test_a_field_may_be_removed_before_it_is_set(make_proxy, origin):
    proxy = make_proxy(origin, route={"request_headers": {"set": {"x-a": "mine"}, "remove": ["x-b"]}})
    assert get(proxy.address, headers=[("X-A", "theirs"), ("X-B", "theirs")]).status == 200
    seen = origin.wait_requests(1)[0].headers
    assert (seen.all("x-a"), seen.all("x-b")) == (["mine"], [])


def test_what_a_client_names_in_connection_cannot_take_away_what_the_route_sets(make_proxy, origin):
    proxy = make_proxy(origin, route={"request_headers": {"set": {"x-auth": "proxy"}}})
    assert get(proxy.address, headers=[("Connection", "x-auth"), ("X-Auth", "forged")]).status == 200
    assert origin.wait_requests(1)[0].headers.all("x-auth") == ["proxy"]


def test_what_a_route_edits_does_not_come_as_a_trailer_either(make_proxy, make_origin):
    edits = {"set": {"x-auth": "proxy"}, "remove": ["x-internal"]}
    proxy = make_proxy(make_origin(echo()), route={"request_headers": edits, "response_headers": {"remove": ["x-debug"]}})
    with Client(proxy.address) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\nTransfer-Encoding: chunked\r\n\r\n"
                    b"0\r\nX-Auth: forged\r\nX-Internal: 1\r\nX-Debug: 1\r\nX-Sum: 1\r\n\r\n")
        assert list(client.response().trailers) == [("X-Sum", "1")]
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\nTransfer-Encoding: chunked\r\n\r\n"
                    b"0\r\nX-Internal: 1\r\n\r\n")
        assert client.response().status == 200


def test_what_a_route_edits_does_not_come_ahead_of_the_response_either(make_proxy, make_origin):
    hint = b"HTTP/1.1 103 Early Hints\r\nX-Debug: 1\r\nX-Frame: none\r\nLink: </a>\r\n\r\n"
    proxy = make_proxy(make_origin(interim([hint], ok())), route={"response_headers": {"set": {"x-frame": "deny"}, "remove": ["x-debug"]}})
    with Client(proxy.address) as client:
        assert [list(one.headers) for one in client.request().interim] == [[("Link", "</a>")]]
    with H2Client(proxy.address) as client:
        assert [list(fields) for _, fields in client.request(1).interim] == [[("link", "</a>")]]
