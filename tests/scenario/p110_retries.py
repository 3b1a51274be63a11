"""Another server is tried where nothing can have been done yet, and only as often as the budget allows."""
import pytest

from support.client import Client, get
from support.load import Load
from support.origin import named, reset, response, raw


def no_ejection(**more):
    return {"ejection": {"consecutive_failures": 0}, **more}


def test_a_refused_connection_is_tried_elsewhere_for_any_method(make_proxy, make_origin):
    gone = make_origin()
    gone.stop()
    good = make_origin(named("good"))
    proxy = make_proxy([gone, good], pool=no_ejection())
    with Client(proxy.address) as client:
        for method in ("GET", "POST", "PATCH", "PUT", "DELETE"):
            for _ in range(2):
                body = b"x" * 3000 if method in ("POST", "PATCH", "PUT") else None
                assert client.request(method, body=body).body == b"good"


@pytest.mark.parametrize("method, again", [("GET", True), ("PUT", True), ("DELETE", True), ("HEAD", True), ("POST", False), ("PATCH", False)])
def test_a_reset_is_tried_elsewhere_only_where_it_does_no_harm(make_proxy, make_origin, method, again):
    bad, good = make_origin(reset()), make_origin(named("good"))
    proxy = make_proxy([bad, good], pool=no_ejection(), process={"workers": 1})
    body = b"abc" if method in ("PUT", "POST", "PATCH") else None
    statuses = set()
    for _ in range(4):
        with Client(proxy.address) as client:
            statuses.add(client.request(method, body=body).status)
    assert bad.heads and statuses == ({200} if again else {200, 502})


def test_a_backup_is_no_second_try_while_a_primary_stands(make_proxy, make_origin):
    bad, spare = make_origin(reset()), make_origin(named("spare"))
    proxy = make_proxy({"bad": {"address": bad.address}, "spare": {"address": spare.address, "backup": True}}, pool=no_ejection())
    assert get(proxy.address).status == 502
    assert len(bad.heads) == 2 and not spare.heads


def test_the_body_goes_along_when_it_is_still_whole(make_proxy, make_origin):
    bad, good = make_origin(reset()), make_origin(named("good"))
    proxy = make_proxy([bad, good], pool=no_ejection())
    with Client(proxy.address) as client:
        for _ in range(4):
            assert client.request("PUT", body=b"y" * 5000).body == b"good"
    assert all(request.body == b"y" * 5000 for request in good.requests) and len(good.requests) == 4


def test_an_answer_that_failed_on_the_way_is_not_tried_again(make_proxy, make_origin):
    bad, good = make_origin(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", None)), make_origin(named("good"))
    from support.origin import close_after
    bad.behaviour = close_after(60, response(200, None, b"z" * 500))
    proxy = make_proxy({"bad": {"address": bad.address}, "good": {"address": good.address, "backup": True}}, pool=no_ejection())
    from support.client import Ended
    with pytest.raises(Ended):
        get(proxy.address)
    assert not good.requests


def test_not_more_often_than_configured(make_proxy, make_origin):
    origins = [make_origin(reset()) for _ in range(4)]
    for attempts in (0, 1, 3):
        for origin in origins:
            origin.clear()
        proxy = make_proxy(origins, pool=no_ejection(retry={"attempts": attempts}))
        assert get(proxy.address).status == 502
        assert sum(len(origin.heads) for origin in origins) == attempts + 1
        assert all(len(origin.heads) <= 1 for origin in origins), "the same server was tried twice"


def test_a_pool_that_fails_as_a_whole_is_not_hit_twice(make_proxy, make_origin):
    origins = [make_origin(reset()) for _ in range(2)]
    proxy = make_proxy(origins, pool=no_ejection(retry={"attempts": 1, "budget_percent": 10, "min_per_second": 1}), process={"workers": 1})
    load = Load(proxy.address, 4, 300).run()
    assert load.statuses == {502: 300}
    tried = sum(len(origin.heads) for origin in origins)
    assert 300 + 10 <= tried <= 300 + 35
    metrics = proxy.metrics()
    assert metrics.value("twokey_pool_retries_total", pool="app") == tried - 300
    assert metrics.value("twokey_pool_retries_refused_total", pool="app") == 600 - tried


def test_an_answer_of_the_server_is_an_answer(make_proxy, make_origin):
    bad, good = make_origin(raw(response(503, None, b"busy"))), make_origin(named("good"))
    proxy = make_proxy({"bad": {"address": bad.address}, "good": {"address": good.address, "backup": True}}, pool=no_ejection())
    assert get(proxy.address).body == b"busy"
