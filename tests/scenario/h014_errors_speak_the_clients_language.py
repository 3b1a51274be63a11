"""Our own answers are small, typed by Accept, complete, and repeat nothing of what the client sent."""
import json

import pytest

from support.client import Client, build, get

NO_HOST = b"GET /<script>alert(1)</script> HTTP/1.1\r\nAccept: %s\r\n\r\n"


@pytest.fixture
def proxy(make_proxy, origin):
    return make_proxy(origin, config={"routes": {"everything": None, "one": {"path": "/one", "pool": "app"}}})


@pytest.mark.parametrize("accept,kind", [
    ("text/html", "text/html"), ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"), ("application/json", "application/json"),
    ("text/plain", "text/plain"), ("*/*", "text/plain"), ("application/json;q=0.5, text/html;q=0.4", "application/json"), ("image/png", "text/plain")])
def test_a_404_by_accept(proxy, accept, kind):
    answer = get(proxy.address, "/none", {"Accept": accept})
    assert answer.status == 404 and len(answer.body) < 2000
    assert answer.header("content-type").split(";")[0] in (kind, "application/problem+json" if "json" in kind else kind)
    if "json" in kind:
        assert json.loads(answer.body)["status"] == 404


def test_a_404_without_accept_is_text(proxy):
    assert get(proxy.address, "/none").header("content-type").startswith("text/plain")


def test_nothing_of_the_request_is_repeated(proxy):
    for accept in (b"text/html", b"application/json", b"*/*"):
        with Client(proxy.address) as client:
            client.send(NO_HOST % accept)
            answer = client.response()
            assert answer.status == 400 and b"script" not in answer.body and client.wait_closed()


def test_head_gets_no_body_and_the_connection_goes_on(proxy):
    with Client(proxy.address) as client:
        for _ in range(3):
            client.send(build("HEAD", "/none"))
            assert client.response("HEAD").status == 404
        assert client.request(target="/one").status == 200


def test_a_404_keeps_the_connection_in_step_behind_a_body(proxy):
    with Client(proxy.address) as client:
        answer = client.request("POST", "/none", body=b"GET /one HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer.status == 404
        if answer.says_close:
            assert client.wait_closed()
        else:
            assert client.request(target="/one").status == 200
