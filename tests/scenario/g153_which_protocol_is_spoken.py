"""ALPN decides over TLS, the first bytes decide in clear text; and what does not fit is refused without harm."""
import ssl

import pytest

from support.client import Client, build
from support.h2 import GET, NO_ERROR, PREFACE, PROTOCOL_ERROR, H2Client, goaway, h2_context, headers, request, settings
from support.tls import TlsClient, tls_listener

NAME = "shop.example"


@pytest.fixture
def secure(make_proxy, origin, authority):
    def make(**more):
        return make_proxy(origin, **tls_listener(authority.directory, authority.certificate("shop", NAME), **more))
    return make


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("offers", [["h2"], ["h2", "http/1.1"], ["http/1.1", "h2"], ["x", "h2"]])
def test_h2_where_it_is_offered(secure, origin, authority, version, offers):
    proxy = secure()
    with H2Client(proxy.address, context=h2_context(authority, offers, version), name=NAME) as client:
        assert client.sock.selected_alpn_protocol() == "h2"
        assert client.request(1, request(scheme="https", authority=NAME)).status == 200
    assert origin.requests[0].header("x-forwarded-proto") == "https" and origin.requests[0].header("host") == NAME


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("offers", [[], ["http/1.1"]])
def test_http_1_1_where_it_is_not(secure, authority, version, offers):
    proxy = secure()
    with TlsClient(proxy.address, NAME, context=h2_context(authority, offers, version)) as client:
        assert client.sock.selected_alpn_protocol() in (None, "http/1.1")
        assert client.request().status == 200 and client.request().status == 200


def test_a_listener_may_speak_one_alone(secure, authority):
    only_1, only_2 = secure(alpn=["http/1.1"]), secure(alpn=["h2"])
    with TlsClient(only_1.address, NAME, context=h2_context(authority, ["h2", "http/1.1"])) as client:
        assert client.sock.selected_alpn_protocol() == "http/1.1" and client.request().status == 200
    with H2Client(only_2.address, context=h2_context(authority, ["http/1.1", "h2"]), name=NAME) as client:
        assert client.request(1, request(scheme="https", authority=NAME)).status == 200
    for proxy, offer in ((only_1, "h2"), (only_2, "http/1.1")):
        with pytest.raises(ssl.SSLError, match="no application protocol"):
            TlsClient(proxy.address, NAME, context=h2_context(authority, [offer])).request()


def test_http_1_1_where_h2_was_agreed_on(secure, authority, origin):
    proxy = secure()
    with TlsClient(proxy.address, NAME, context=h2_context(authority)) as client:
        client.send(build())
        said = client.read_until_close()
        assert b"HTTP/1.1 200" not in said
    assert not origin.heads


def test_a_preface_where_http_1_1_was_agreed_on(secure, authority, origin):
    """RFC 9113 §3.3: over TLS it is ALPN that decides; the preface is no request."""
    proxy = secure()
    for offers in (["http/1.1"], []):
        with TlsClient(proxy.address, NAME, context=h2_context(authority, offers)) as client:
            client.send(PREFACE + settings() + headers(1, GET))
            assert b" 200 " not in client.read_until_close()
    assert not origin.heads


def test_another_site_over_this_connection(make_proxy, origin, authority):
    """421 for the stream, the connection goes on (RFC 9110 §15.5.20)."""
    one, two = authority.certificate("one", "one.example"), authority.certificate("two", "two.example")
    proxy = make_proxy(origin, **tls_listener(authority.directory, one, two))
    with H2Client(proxy.address, context=h2_context(authority), name="one.example") as client:
        assert client.request(1, request(scheme="https", authority="two.example")).status == 421
        assert client.request(3, request(scheme="https", authority="one.example")).status == 200


@pytest.mark.parametrize("pieces", [1, 2, 23, 24, 30])
def test_the_preface_in_pieces(make_proxy, origin, pieces):
    proxy = make_proxy(origin)
    octets = PREFACE + settings() + headers(1, GET)
    with H2Client(proxy.address, greet=False) as client:
        client._unacked.append({})
        client.stream(1)
        for octet in range(0, len(octets), pieces):
            client.sock.sendall(octets[octet:octet + pieces])
        assert client.answer(1).status == 200


@pytest.mark.parametrize("octets, statuses", [
    (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + settings(), (400, 501, 505)), (b"PRI * HTTP/2.0\r\n\r\n\r\n\r\n\r\n", (400, 501, 505)),
    (b"PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 501, 505)), (b"PRI * HTTP/1.1\r\nHost: a\r\n\r\nSM\r\n\r\n", (400, 501, 505)),
    (b"pri * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 501, 505)),
    (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", (400, 505)), (settings() + headers(1, GET), (400,))])
def test_what_is_no_preface(make_proxy, origin, octets, statuses):
    """It is answered in HTTP/1.1; or, where its first line was one, by GOAWAY (RFC 9113 §3.4)."""
    proxy = make_proxy(origin)
    with Client(proxy.address) as client:
        client.send(octets)
        said = client.read_until_close()
        is_goaway = octets.startswith(PREFACE[:18]) and said.endswith(goaway(0, PROTOCOL_ERROR))
        assert not said or is_goaway or int(said.split(b" ")[1]) in statuses, said
    assert not origin.heads


def test_a_preface_behind_a_request(make_proxy, origin):
    proxy = make_proxy(origin)
    with Client(proxy.address) as client:
        assert client.request().status == 200
        client.try_send(PREFACE + settings() + headers(1, GET))
        assert b" 200 " not in client.read_until_close()
    assert len(origin.heads) == 1


def test_an_upgrade_to_h2c_is_not_taken_up(make_proxy, origin):
    proxy = make_proxy(origin)
    with Client(proxy.address) as client:
        answer = client.request(headers={"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"})
        assert answer.status == 200 and client.request().status == 200
    assert not {"upgrade", "http2-settings"} & set(origin.requests[0].headers.names())


def test_requests_of_a_connection_are_counted(make_proxy, origin):
    """keepalive_requests: GOAWAY that says which was the last; those on their way are served."""
    proxy = make_proxy(origin, listener={"keepalive_requests": 10})
    with H2Client(proxy.address) as client:
        client.wait_settings()
        client.send(b"".join(headers(stream, GET) for stream in range(1, 31, 2)))
        client.wait_closed()
        assert client.goaways and client.goaways[-1][1] == NO_ERROR
        last = client.goaways[-1][0]
        assert last >= 19 and all(client.stream(stream).status == 200 for stream in range(1, last + 1, 2))
        assert not any(client.stream(stream).status for stream in range(last + 2, 31, 2))


def test_an_idle_connection_ends_politely(make_proxy, origin):
    proxy = make_proxy(origin, listener={"timeouts": {"keepalive": "300ms"}})
    with H2Client(proxy.address) as client:
        assert client.request(1).status == 200
        assert client.wait_closed() and client.goaways[-1][1] == NO_ERROR


def test_a_rule_broken_is_said_and_ends_it(make_proxy, origin):
    proxy = make_proxy(origin)
    with H2Client(proxy.address) as client:
        client.send(headers(2, GET))
        assert client.wait_closed() and client.goaways[-1][1] == PROTOCOL_ERROR
    proxy.wait_event("h2-violation", budget="protocol", listener="web")
