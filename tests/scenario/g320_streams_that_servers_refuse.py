"""What a server has not looked at goes again, whatever the method; what it may have looked at, only where that does no harm."""
import pytest
from support import h2
from support.client import Client, get
from support.h2_origin import H2Origin, h2_echo, h2_goaway, h2_ok, h2_pool, h2_reset, h2_silent
from support.origin import CLOSE, before_body
from support.wire import Ended


def reason(proxy, name):
    return proxy.metrics().value("twokey_pool_failures_total", pool="app", reason=name)


@pytest.mark.parametrize("size", [4, 60000])
@pytest.mark.parametrize("refuse", [h2_reset(h2.REFUSED_STREAM), h2_goaway(-2)], ids=["REFUSED_STREAM", "GOAWAY"])
def test_a_post_goes_again(make_origin, make_proxy, refuse, size):
    origin = make_origin([refuse, h2_echo()], speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool(), process={"workers": 1})
    with Client(proxy.address) as client:
        assert client.request("POST", "/", body=b"b" * size).body == b"b" * size
        assert client.request("GET", "/").status == 200
    assert not origin.errors
    metrics = proxy.metrics()
    assert metrics.value("twokey_server_h2_refused_total") == 1
    assert metrics.value("twokey_server_failures_total") == 0  # nobody's fault


def test_so_does_one_whose_body_is_still_on_its_way(make_origin, make_proxy):
    def refuse(conn, request):
        request.on_data = lambda conn, request, _: conn.reset_stream(request, h2.REFUSED_STREAM)
    origin = make_origin([before_body(refuse), h2_echo()], speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool())
    with Client(proxy.address) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        origin.wait_for(lambda o: len(o.heads) == 2)
        client.send(b"6\r\nsecond\r\n0\r\n\r\n")
        assert client.response("POST").body == b"firstsecond"


def test_but_not_one_that_is_not_here_any_more(make_origin, make_proxy):
    def refuse(conn, request):
        def look(conn, request, _):
            if request.body_bytes > 70000:
                request.on_data = None
                conn.reset_stream(request, h2.REFUSED_STREAM)
        request.on_data = look
    origin = make_origin([before_body(refuse), h2_echo()], speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool())
    with Client(proxy.address) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100000)
        assert client.response("POST").status == 503
    assert reason(proxy, "stream-refused") == 1


def test_a_server_that_refuses_everything_is_given_up(make_origin, make_proxy):
    origin = make_origin(h2_reset(h2.REFUSED_STREAM), speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool(retry={"attempts": 0}))
    assert get(proxy.address).status == 503
    assert len(origin.heads) == 2  # once more on a fresh connection


@pytest.mark.parametrize("method, again", [("GET", True), ("POST", False)])
def test_a_stream_that_was_reset_may_have_done_something(make_origin, make_proxy, method, again):
    bad = make_origin(h2_reset(h2.INTERNAL_ERROR), speaks=H2Origin)
    good = make_origin(h2_ok(b"good"), speaks=H2Origin)
    proxy = make_proxy([bad, good], pool=h2_pool(ejection={"consecutive_failures": 0}))
    with Client(proxy.address) as client:
        got = [client.request(method, "/", body=b"x" if method == "POST" else None).status for _ in range(4)]
    assert got.count(200) == (4 if again else 2)
    assert reason(proxy, "stream-reset") == (0 if again else 2)
    assert proxy.metrics().value("twokey_server_failures_total", server="s1") >= 2


@pytest.mark.race
def test_after_a_goaway_open_streams_finish_and_new_ones_go_elsewhere(make_origin, make_proxy):
    held = []
    hold = before_body(lambda conn, request: held.append((conn, request)))
    origin = make_origin({"/slow": hold, "/leave": h2_goaway(None, then=h2_ok(b"leaving")), "*": h2_ok(b"new")}, speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool(), process={"workers": 1})
    with Client(proxy.address) as slow, Client(proxy.address) as client:
        slow.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        origin.wait_for(lambda _: held)
        assert client.request("GET", "/leave").body == b"leaving"
        assert client.request("GET", "/new").body == b"new"
        assert [r.connection for r in origin.requests] == [0, 0, 1]
        held[0][0].respond(held[0][1], 200, [], b"late")
        assert slow.response().body == b"late"
    origin.wait_for(lambda o: not o.connections[0].open)
    assert proxy.metrics().value("twokey_server_h2_goaways_total") == 1


def test_a_server_that_goes_takes_each_stream_by_its_own_state(make_origin, make_proxy):
    held = []

    def halfway(conn, request):
        conn.respond(request, 200, [("content-length", "10")], b"half", end=False)
        held.append(conn)

    def later(conn, request):
        return h2_ok(b"again")(conn, request) if conn.number else None
    origin = make_origin({"/half": halfway, "/get": before_body(later), "*": h2_silent()}, speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool(), process={"workers": 1})
    with Client(proxy.address) as half, Client(proxy.address) as idempotent, Client(proxy.address) as post:
        half.send(b"GET /half HTTP/1.1\r\nHost: a\r\n\r\n")
        origin.wait_for(lambda _: len(held) == 1)
        idempotent.send(b"GET /get HTTP/1.1\r\nHost: a\r\n\r\n")
        post.send(b"POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        origin.wait_for(lambda o: len(o.heads) == 3)
        held[0].sock.shutdown(2)
        assert post.response("POST").status == 502
        assert idempotent.response().body == b"again"
        with pytest.raises(Ended):
            half.response()
    assert reason(proxy, "response-broken") == 1


def test_an_idle_connection_that_ends_as_it_is_used_is_nobodys_fault(make_origin, make_proxy):
    def first_and_last(conn, request):
        conn.respond(request, 200, [], b"first")
        conn.origin.behaviour = {"*": before_body(lambda conn, request: CLOSE if conn.number == 0 else h2_ok(b"second")(conn, request))}
    origin = make_origin({"*": first_and_last}, speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool(retry={"attempts": 0}), process={"workers": 1})
    with Client(proxy.address) as client:
        assert client.request().body == b"first"
        assert client.request().body == b"second"
    assert proxy.metrics().value("twokey_server_failures_total") == 0
