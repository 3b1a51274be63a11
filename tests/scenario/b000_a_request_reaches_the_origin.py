"""One GET goes through: rebuilt on the way in, the answer unharmed on the way out."""
from support.client import Client, get
from support.origin import ok


def test_a_get_goes_through(make_proxy, make_origin):
    origin = make_origin(ok(b"hello", [("X-Mine", "yes")]))
    answer = get(make_proxy(origin).address, "/a/b?c=d")
    assert (answer.status, answer.body, answer.header("x-mine")) == (200, b"hello", "yes")
    seen = origin.wait_requests(1)[0]
    assert (seen.method, seen.target, seen.version) == ("GET", "/a/b?c=d", "1.1")
    assert seen.header("host") == "test.example"


def test_a_client_connection_serves_many_requests(make_proxy, origin):
    proxy = make_proxy(origin)
    with Client(proxy.address) as client:
        for number in range(50):
            assert client.request(target=f"/{number}").status == 200
    assert [request.target for request in origin.wait_requests(50)] == [f"/{number}" for number in range(50)]


def test_connections_to_the_origin_are_reused(make_proxy, origin):
    proxy = make_proxy(origin, process={"workers": 1})
    with Client(proxy.address) as client:
        for _ in range(20):
            assert client.request().status == 200
    assert len(origin.connections) == 1


def test_servers_on_unix_sockets_and_ipv6(make_proxy, make_origin):
    for kind in ("unix", "inet6"):
        origin = make_origin(kind=kind)
        assert get(make_proxy(origin).address).status == 200
        assert len(origin.wait_requests(1)) == 1


def test_a_body_goes_both_ways(make_proxy, make_origin):
    from support.origin import echo
    origin = make_origin(echo())
    with Client(make_proxy(origin).address) as client:
        for size in (0, 1, 1000, 65536, 1 << 20):
            body = bytes(i % 251 for i in range(size))
            assert client.request("POST", "/", body=body).body == body
