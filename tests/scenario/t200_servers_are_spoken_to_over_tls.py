"""TLS to servers: their certificate is verified against the pool's authorities and the server's own name."""
import hashlib
import ssl

import pytest
from support.client import Client, get
from support.origin import CLOSE, echo, ok, websocket
from support.client import build, masked_frame
from support.tls import Authority, server_context, tls_pool
from support.wire import Ended

BIG = bytes(range(256)) * 12000


def local(authority):
    """A certificate for 127.0.0.1, which is how the origin is named."""
    return authority.certificate("origin", "localhost", ip="127.0.0.1")


@pytest.mark.race
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_requests_go_over_tls_and_connections_are_kept(make_origin, make_proxy, authority, version):
    origin = make_origin(echo(), tls=server_context(local(authority), version=version))
    proxy = make_proxy([origin], **tls_pool(authority))
    with Client(proxy.address) as client:
        for _ in range(5):
            got = client.request("POST", "/", body=BIG).body
            assert hashlib.sha256(got).digest() == hashlib.sha256(BIG).digest()
    assert len(origin.connections) == 1
    assert proxy.metrics().value("twokey_server_connections_reused_total") == 4


def stranger(authority):
    return Authority(authority.directory, "stranger").certificate("origin", "localhost", ip="127.0.0.1"), {}


def other_name(authority):
    return authority.certificate("origin", "other.example"), {}


def name_that_was_asked_for(authority):
    return local(authority), {"sni": "shop.internal"}


def expired(authority):
    return authority.certificate("origin", "localhost", ip="127.0.0.1", days=-1), {}


@pytest.mark.parametrize("make, reason, words", [
    (stranger, "unknown-authority", "unable to get local issuer certificate"), (other_name, "wrong-name", "IP address mismatch"),
    (name_that_was_asked_for, "wrong-name", "hostname mismatch"), (expired, "expired", "certificate has expired")])
def test_a_certificate_that_is_not_good_is_refused_and_told(make_origin, make_proxy, authority, make, reason, words):
    certificate, options = make(authority)
    origin = make_origin(tls=server_context(certificate))
    proxy = make_proxy([origin], **tls_pool(authority, **options))
    assert get(proxy.address).status == 502
    assert not origin.requests
    metrics = proxy.metrics()
    assert metrics.value("twokey_server_tls_failures_total", reason=reason) == metrics.value("twokey_server_tls_failures_total") >= 1
    line = proxy.access_log()[0]
    assert line["failure"] == "server-tls" and line["server_tls"] == words
    said = proxy.admin("POST", "/v1/explain", {"path": "/"}).json()
    assert said["failing_handshakes"] == [{"server": "s1", "why": words}]
    assert proxy.server("s1")["oper"]["why"].endswith("the last TLS handshake failed: " + words)
    assert proxy.metrics().value("twokey_pool_failures_total", pool="app", reason="server-tls") == 1


def test_without_verification_any_certificate_will_do(make_origin, make_proxy, authority):
    certificate, _ = stranger(authority)
    proxy = make_proxy([make_origin(tls=server_context(certificate))], **tls_pool(authority, verify=False))
    assert get(proxy.address).status == 200


def test_the_name_that_is_configured_is_asked_for_and_expected(make_origin, make_proxy, authority):
    context = server_context(authority.certificate("origin", "shop.internal"))
    proxy = make_proxy([make_origin(tls=context)], **tls_pool(authority, sni="shop.internal"))
    assert get(proxy.address).status == 200
    assert context.names == ["shop.internal"]


def test_an_address_is_not_asked_for(make_origin, make_proxy, authority):
    context = server_context(local(authority))
    proxy = make_proxy([make_origin(tls=context)], **tls_pool(authority))
    assert get(proxy.address).status == 200
    assert context.names == [None]


def test_a_certificate_of_ours_is_shown(make_origin, make_proxy, authority):
    origin = make_origin(tls=server_context(local(authority), client_ca=authority))
    options = tls_pool(authority, client_certificate="edge")
    options["config"] = {"certificates": {"edge": authority.certificate("edge", "edge.example").section()}}
    proxy = make_proxy([origin], **options)
    assert get(proxy.address).status == 200
    assert origin.sessions[0].getpeercert()["subject"] == ((("commonName", "edge"),),)


def test_a_server_that_speaks_clear_text_is_no_server(make_origin, make_proxy, authority):
    proxy = make_proxy([make_origin(ok(b"clear"))], **tls_pool(authority))
    assert get(proxy.address).status == 502
    assert proxy.metrics().value("twokey_server_tls_failures_total") >= 1


def until_it_closes(says_so):
    def behave(conn, _request):
        conn.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf of it")
        if says_so:
            conn.sock.unwrap()
        return CLOSE
    return behave


def test_what_lasts_until_the_server_closes_is_whole_only_if_it_says_so(make_origin, make_proxy, authority):
    """RFC 9112 §9.8: without close_notify anybody on the way could have ended it."""
    origin = make_origin({"/whole": until_it_closes(True), "/cut": until_it_closes(False)}, tls=server_context(local(authority)))
    proxy = make_proxy([origin], **tls_pool(authority))
    assert get(proxy.address, "/whole").body == b"half of it"
    with pytest.raises(Ended):
        get(proxy.address, "/cut")
    assert proxy.access_log(2)[1]["failure"] == "response-broken"


def test_sessions_are_taken_up_again(make_origin, make_proxy, authority):
    origin = make_origin(tls=server_context(local(authority)))
    proxy = make_proxy([origin], pool={"tls": {"ca_file": authority.cert_file}, "keepalive": {"max_requests": 1}},
                       process={"file_roots": [authority.directory], "workers": 1})
    for _ in range(4):
        assert get(proxy.address).status == 200
    assert proxy.metrics().value("twokey_server_tls_resumed_total") == 3
    assert proxy.admin("POST", "/v1/explain", {"path": "/"}).json()["failing_handshakes"] == []


def test_tunnels_go_over_it(make_origin, make_proxy, authority):
    proxy = make_proxy([make_origin(websocket(), tls=server_context(local(authority)))], **tls_pool(authority))
    with Client(proxy.address) as client:
        client.send(build(headers={"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                                   "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}))
        assert client.head().status == 101
        client.send(masked_frame(b"hello"))
        assert client.take(7)[2:] == b"hello"
