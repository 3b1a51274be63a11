"""An Upgrade that is not taken, or may not be, is a request like any other."""
import pytest

from support.client import Client, build
from support.origin import ok, raw, response
from support.upgrade import ASK, UPGRADE


def test_a_refused_upgrade_is_plain_http(make_proxy, make_origin):
    origin = make_origin(ok(b"plain"))
    with Client(make_proxy(origin).address) as client:
        client.send(ASK)
        answer = client.response()
        assert (answer.status, answer.body) == (200, b"plain")
        assert client.request(target="/next").body == b"plain"
    assert origin.heads[0].header("upgrade") == "test"
    assert origin.heads[1].header("upgrade") is None


def test_bytes_behind_a_refused_upgrade_are_the_next_request(make_proxy, make_origin):
    origin = make_origin(ok(b"plain"))
    with Client(make_proxy(origin).address) as client:
        client.send(ASK + build("GET", "/next"))
        assert client.response().status == 200
        assert client.response().status == 200
    assert [head.target for head in origin.heads] == ["/", "/next"]


@pytest.mark.parametrize("switch", [
    response(101, [("Connection", "Upgrade"), ("Upgrade", "other")]),
    response(101, [("Connection", "Upgrade")]),
    response(101)])
def test_a_101_to_what_was_not_offered_is_502(make_proxy, make_origin, switch):
    with Client(make_proxy(make_origin(raw(switch + b"secret"))).address) as client:
        client.send(ASK)
        answer = client.response()
        assert answer.status == 502 and b"secret" not in answer.body


def test_h2c_is_never_offered(make_proxy, origin):
    with Client(make_proxy(origin).address) as client:
        answer = client.request(headers=[("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"),
                                         ("HTTP2-Settings", "AAMAAABkAAQAAP__")])
        assert answer.status == 200
    head = origin.heads[0]
    assert head.header("upgrade") is None and head.header("http2-settings") is None


def test_an_upgrade_with_a_body_is_refused(make_proxy, origin):
    with Client(make_proxy(origin).address) as client:
        assert client.request("POST", headers=UPGRADE, body=b"x").status == 400
    assert origin.heads == []
