"""What we answer ourselves to a call of gRPC is 200 with a grpc-status, in a head that is all there is."""
import pytest
from support import h2
from support.client import Client
from support.h2 import H2Client
from support.h2_origin import H2Origin, h2_echo, h2_ok, h2_pool, h2_reset

CALL = [("Content-Type", "application/grpc+proto"), ("TE", "trailers"), ("Connection", "TE")]


def call(proxy, path="/greet.Greeter/Hello", headers=()):
    with Client(proxy.address) as client:
        return client.request("POST", path, body=b"\0\0\0\0\0", headers=[*CALL, *headers])


def test_errors_by_http2_and_by_http1(make_proxy):
    proxy = make_proxy(["127.0.0.1:1"], pool=h2_pool(retry={"attempts": 0}), route={"path_prefix": "/greet.Greeter"})
    answer = call(proxy)
    assert (answer.status, answer.body, answer.header("grpc-status")) == (200, b"", "14")
    assert answer.header("content-type") == "application/grpc" and answer.header("grpc-message")
    assert call(proxy, "/other").header("grpc-status") == "12"
    with H2Client(proxy.address) as client:
        got = client.request(1, h2.request("POST", "/greet.Greeter/Hello", ("content-type", "application/grpc"), ("te", "trailers")), b"\0" * 5)
    assert (got.status, got.body, got.header("grpc-status")) == (200, b"", "14")
    metrics = proxy.metrics()
    assert metrics.value("twokey_pool_failures_total", pool="app", reason="connect-refused") == 2
    proxy.wait_for(lambda: proxy.metrics().value("twokey_listener_responses_total", code_class="5xx") == 2)  # as what failed


def test_others_are_told_as_ever(make_proxy):
    proxy = make_proxy(["127.0.0.1:1"], pool=h2_pool())
    with Client(proxy.address) as client:
        answer = client.request("POST", "/", body=b"{}", headers=[("Content-Type", "application/grpc-web")])
    assert answer.status == 502 and answer.header("grpc-status") is None


@pytest.mark.parametrize("refuse, status", [(h2_reset(h2.REFUSED_STREAM), "14"), (h2_reset(h2.INTERNAL_ERROR), "14")])
def test_failures_of_the_server(make_origin, make_proxy, refuse, status):
    proxy = make_proxy([make_origin(refuse, speaks=H2Origin)], pool=h2_pool(retry={"attempts": 0}))
    assert call(proxy).header("grpc-status") == status


@pytest.mark.race
def test_http2_on_both_sides(make_origin, make_proxy):
    trailers = [("grpc-status", "0"), ("grpc-message", "fine")]
    origin = make_origin({"/alone": h2_ok(b"", [("grpc-status", "5")]), "*": h2_echo(trailers)}, speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool(), process={"workers": 1})
    fields = h2.request("POST", "/echo", ("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", "5S"))
    with H2Client(proxy.address) as client:
        client.send(b"".join(h2.headers(stream, fields, end=False) + h2.data(stream, b"m" * stream, end=True)
                             for stream in range(1, 40, 2)))
        for stream in range(1, 40, 2):
            answer = client.answer(stream)
            assert (answer.body, list(answer.trailers)) == (b"m" * stream, trailers)
        alone = client.request(41, h2.request("POST", "/alone", ("content-type", "application/grpc")), b"x")
        assert (alone.header("grpc-status"), alone.body, list(alone.trailers)) == ("5", b"", [])
    assert origin.requests[0].header("grpc-timeout") == "5S"
    assert len(origin.connections) == 1 and not origin.errors


def test_streams_both_ways_pass_piece_by_piece(make_origin, make_proxy):
    def echo_pieces(conn, request):
        conn.respond(request, 200, [("content-type", "application/grpc")], end=False)
        request.on_data = lambda conn, request, data: conn.more(request, data)
        request.on_end = lambda conn, request: conn.more(request, trailers=[("grpc-status", "0")])
    echo_pieces.before_body = True
    proxy = make_proxy([make_origin(echo_pieces, speaks=H2Origin)], pool=h2_pool(timeouts={"response": "300ms"}))
    with H2Client(proxy.address) as client:
        client.send(h2.headers(1, h2.request("POST", "/", ("content-type", "application/grpc"), ("te", "trailers")), end=False))
        for count in range(1, 6):
            client.send(h2.data(1, b"piece"))
            client.pump(lambda: len(client.stream(1).body) == 5 * count)
        client.send(h2.data(1, end=True))
        answer = client.answer(1)
    assert answer.body == b"piece" * 5 and list(answer.trailers) == [("grpc-status", "0")]
