"""Checks of a pool that speaks HTTP/2 are spoken over it; type grpc asks grpc.health.v1.Health."""
import pytest
from support.h2_origin import H2Origin, h2_ok, h2_pool
from support.origin import ok
from support.tls import server_context, tls_pool

FAST = {"interval": "100ms", "fast_interval": "100ms", "timeout": "1s", "fall": 1, "rise": 1}
PATH = "/grpc.health.v1.Health/Check"


def health(status=1, grpc_status="0"):
    """Answers with this status; None: trailers alone."""
    def behave(conn, request):
        fields = [("content-type", "application/grpc")]
        if status is None:
            conn.respond(request, 200, [*fields, ("grpc-status", grpc_status)])
        else:
            conn.respond(request, 200, fields, bytes([0, 0, 0, 0, 2, 8, status]), [("grpc-status", grpc_status)])
    return behave


def address(proxy):
    return proxy.server("s1")["addresses"][0]


def is_down(proxy, why):
    return address(proxy)["health"] == "down" and why in (address(proxy)["last_check"] or "")


def test_http_checks(make_origin, make_proxy):
    origin = make_origin({"/healthz": h2_ok(b"all fine")}, speaks=H2Origin)
    proxy = make_proxy([origin], pool=h2_pool(health_check={**FAST, "path": "/healthz", "expect_body": "fine", "host": "shop.example"}))
    proxy.wait_event("server-up", server="s1")
    request = origin.wait_requests(1)[0]
    assert (request.method, request.target, request.authority, request.scheme) == ("GET", "/healthz", "shop.example", "http")
    origin.behaviour = {"/healthz": h2_ok(b"not so", status=503)}
    proxy.wait_for(lambda: is_down(proxy, "the status is not the expected one"))
    origin.behaviour = {"/healthz": h2_ok(b"all well")}
    proxy.wait_for(lambda: is_down(proxy, "the body lacks the expected text"))
    origin.behaviour = {"/healthz": h2_ok(b"all fine")}
    proxy.wait_for(lambda: address(proxy)["health"] == "up")
    assert not origin.errors


def test_a_server_without_http2_is_down(make_origin, make_proxy):
    proxy = make_proxy([make_origin(ok())], pool=h2_pool(health_check=FAST))
    proxy.wait_for(lambda: address(proxy)["health"] == "down")


@pytest.mark.parametrize("service", [None, "shop.Cart"])
def test_grpc_checks(make_origin, make_proxy, service):
    origin = make_origin({PATH: health(1)}, speaks=H2Origin)
    named = {"service": service} if service else {}
    proxy = make_proxy([origin], pool=h2_pool(health_check={**FAST, "type": "grpc", **named}))
    proxy.wait_event("server-up", server="s1")
    request = origin.wait_requests(1)[0]
    message = b"\x0a\x09shop.Cart" if service else b""
    assert (request.method, request.header("content-type"), request.header("te")) == ("POST", "application/grpc", "trailers")
    assert request.body == bytes([0, 0, 0, 0, len(message)]) + message
    for behaviour, why in ((health(2), "NOT_SERVING"), (health(None, "12"), "UNIMPLEMENTED"), (health(None, "5"), "NOT_FOUND"),
                           (h2_ok(b"web"), "not gRPC"), (lambda conn, request: conn.reset_stream(request), "reset")):
        origin.behaviour = {PATH: behaviour}
        proxy.wait_for(lambda why=why: is_down(proxy, why), what=why)
    origin.behaviour = {PATH: health(1)}
    proxy.wait_for(lambda: address(proxy)["health"] == "up")


@pytest.mark.parametrize("kind", ["grpc", "http"])
def test_over_tls(make_origin, make_proxy, authority, kind):
    certificate = authority.certificate("origin", "localhost", ip="127.0.0.1")
    origin = make_origin({PATH: health(1), "*": h2_ok()}, speaks=H2Origin, tls=server_context(certificate))
    options = tls_pool(authority)
    options["pool"].update({"protocol": "h2", "health_check": {**FAST, "type": kind}})
    proxy = make_proxy([origin], **options)
    proxy.wait_event("server-up", server="s1")
    assert origin.wait_requests(1)[0].scheme == "https"


def test_over_tls_http2_must_be_agreed_on(make_origin, make_proxy, authority):
    certificate = authority.certificate("origin", "localhost", ip="127.0.0.1")
    options = tls_pool(authority)
    options["pool"].update({"protocol": "h2", "health_check": {**FAST, "type": "grpc"}})
    proxy = make_proxy([make_origin(ok(), tls=server_context(certificate))], **options)
    proxy.wait_for(lambda: is_down(proxy, "it did not agree to HTTP/2"))
