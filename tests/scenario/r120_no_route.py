"""What no route matches gets 404, in the form that the client asked for, and costs no connection."""
from support.client import Client


def test_404(make_proxy, origin):
    proxy = make_proxy(origin, route={"hosts": ["known.example"]})
    with Client(proxy.address) as client:
        for accept, kind in (("*/*", "text/plain"), ("text/html", "text/html"), ("application/json", "json")):
            answer = client.request(headers={"Accept": accept})
            assert answer.status == 404 and kind in answer.header("content-type")
        assert client.request("POST", body=b"x" * 5000).status == 404
        assert client.request("HEAD").status == 404
        assert client.request(host="known.example").status == 200
    assert len(origin.requests) == 1


def test_a_configuration_without_routes_answers_404(make_proxy):
    proxy = make_proxy([], config={"pools": {"app": None}, "routes": {"everything": None}})
    with Client(proxy.address) as client:
        assert [client.request().status for _ in range(3)] == [404] * 3


def test_it_is_in_the_access_log(make_proxy, origin):
    proxy = make_proxy(origin, route={"hosts": ["known.example"]})
    with Client(proxy.address) as client:
        client.request(target="/nowhere")
    line = proxy.access_log(1)[0]
    assert line["status"] == 404 and "no-route" in line.values() and line["path"] == "/nowhere"
