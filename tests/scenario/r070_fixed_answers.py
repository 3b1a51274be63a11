"""A route may answer by itself."""
import pytest

from support.client import Client


def test_status_body_and_type(make_proxy):
    proxy = make_proxy([], config={"pools": {"app": None}, "routes": {
        "everything": None,
        "robots": {"path": "/robots.txt", "respond": {"status": 200, "body": "User-agent: *\nDisallow:\n"}},
        "json": {"path": "/json", "respond": {"status": 418, "body": "{\"a\":1}", "content_type": "application/json"}},
        "empty": {"path": "/empty", "respond": {"status": 204}},
        "bare": {"path": "/bare", "respond": {}},
    }})
    with Client(proxy.address) as client:
        robots = client.request(target="/robots.txt")
        assert (robots.status, robots.body) == (200, b"User-agent: *\nDisallow:\n")
        assert robots.header("content-type") == "text/plain; charset=utf-8"
        assert robots.header("date")
        json = client.request(target="/json")
        assert (json.status, json.body, json.header("content-type")) == (418, b'{"a":1}', "application/json")
        empty = client.request(target="/empty")
        assert (empty.status, empty.body, empty.header("content-length")) == (204, b"", None)
        bare = client.request(target="/bare")
        assert (bare.status, bare.body) == (200, b"")
        head = client.request("HEAD", "/robots.txt")
        assert (head.status, head.header("content-length")) == (200, "24")
        posted = client.request("POST", "/robots.txt", body=b"x" * 1000)
        assert (posted.status, posted.body) == (200, robots.body)
        assert client.request(target="/bare").status == 200


@pytest.mark.parametrize("size", [65536])
def test_a_large_body(make_proxy, size):
    proxy = make_proxy([], config={"pools": {"app": None}, "routes": {"everything": {"pool": None, "respond": {"body": "x" * size}}}})
    with Client(proxy.address) as client:
        for _ in range(3):
            assert client.request().body == b"x" * size


def test_fields_of_the_route_stand_in_its_own_answers(make_proxy):
    edits = {"set": {"strict-transport-security": "max-age=60", "cache-control": "public"}, "remove": ["x-request-id", "content-type"]}
    proxy = make_proxy([], config={"pools": {"app": None}, "routes": {
        "everything": None,
        "fixed": {"path": "/fixed", "respond": {"status": 200, "body": "x"}, "response_headers": edits},
        "moved": {"path": "/moved", "redirect": {"location": "https://a.example{path}"}, "response_headers": edits},
    }})
    with Client(proxy.address) as client:
        for path, status in (("/fixed", 200), ("/moved", 302)):
            answer = client.request(target=path)
            assert answer.status == status
            assert answer.headers.all("strict-transport-security") == ["max-age=60"]
            assert answer.headers.all("cache-control") == ["public"]
            assert answer.header("x-request-id") is None and answer.header("content-type") is None
        missing = client.request(target="/missing")
        assert missing.status == 404 and missing.header("strict-transport-security") is None
