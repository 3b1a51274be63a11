"""Servers are told who a client has proved to be, in fields that no client can send himself."""
import hashlib
import ssl

import pytest
from support.client import Client, get
from support.h2 import H2Client, headers, request
from support.proxy import free_port
from support.tls import TlsClient, tls_listener

HEADERS = {"subject": "X-Client-Subject", "fingerprint": "x-client-fingerprint", "serial": "x-client-serial"}


def told(request):
    return {name: request.headers.get(name.lower()) for name in ("X-Client-Subject", "X-Client-Fingerprint", "X-Client-Serial")}


@pytest.fixture
def proxy(make_proxy, origin, authority):
    options = tls_listener(authority.directory, authority.certificate("shop", "shop.example"),
                           client_auth={"mode": "request", "ca_file": authority.cert_file, "headers": HEADERS})
    options["config"]["listeners"] = {"clear": {"address": f"127.0.0.1:{free_port()}"}}
    return make_proxy([origin], **options)


def test_a_certificate_that_was_verified_is_told(proxy, origin, authority):
    ann = authority.certificate("ann", "ann.people")
    with TlsClient(proxy.address_of("web"), certificate=ann) as client:
        for _ in range(2):
            client.request(headers={"x-client-subject": "CN=root", "X-CLIENT-SERIAL": "0"})
    with open(ann.cert_file, encoding="ascii") as file:
        der = ssl.PEM_cert_to_DER_cert(file.read())
    for got in origin.requests:
        assert told(got) == {"X-Client-Subject": "CN=ann", "X-Client-Fingerprint": hashlib.sha256(der).hexdigest(),
                             "X-Client-Serial": ann.serial()}


@pytest.mark.parametrize("listener", ["web", "clear"])
def test_nobody_can_say_it_himself(proxy, origin, listener):
    headers = {"X-Client-Subject": "CN=root", "x-client-fingerprint": "00", "X-client-Serial": "1"}
    if listener == "web":
        with TlsClient(proxy.address_of("web")) as client:
            client.request(headers=headers)
    else:
        get(proxy.address_of("clear"), headers=headers)
    assert list(told(origin.requests[0]).values()) == [None] * 3


def test_nobody_can_say_it_behind_his_body(proxy, origin):
    """Some servers take trailers for fields of the head."""
    with Client(proxy.address_of("clear")) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTrailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n"
                    b"0\r\nX-Client-Subject: CN=root\r\nX-Sum: 1\r\nx-CLIENT-serial: 1\r\n\r\n")
        assert client.response().status == 200
    assert list(origin.wait_requests(1)[0].trailers) == [("X-Sum", "1")]
    with H2Client(proxy.address_of("clear")) as client:
        client.send(headers(1, request("POST", "/", ("te", "trailers")), end=False)
                    + headers(1, [("x-client-subject", "CN=root"), ("x-sum", "1")]))
        assert client.answer(1).status == 200
    assert list(origin.wait_requests(2)[1].trailers) == [("x-sum", "1")]


def test_nobody_can_say_it_with_underscores(make_proxy, origin, authority):
    """CGI and its kin make one variable of both."""
    options = tls_listener(authority.directory, authority.certificate("shop", "shop.example"),
                           client_auth={"mode": "request", "ca_file": authority.cert_file, "headers": HEADERS})
    options["listener"]["limits"] = {"underscores": "allow"}
    proxy = make_proxy([origin], **options)
    with TlsClient(proxy.address) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nX_Client_Subject: CN=root\r\nX-client_serial: 1\r\nX_Other: 1\r\nTrailer: x\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n0\r\nx_client_fingerprint: 00\r\nX_Sum: 1\r\n\r\n")
        assert client.response().status == 200
    seen = origin.wait_requests(1)[0]
    assert [name for name, _ in seen.headers if "client" in name.lower()] == [] and seen.header("x_other") == "1"
    assert list(seen.trailers) == [("X_Sum", "1")]


def test_a_field_of_the_framing_is_no_place_for_it(proxy):
    proxy.config["listeners"]["web"]["tls"]["client_auth"]["headers"] = {"subject": "Transfer-Encoding"}
    answer = proxy.reload()
    assert answer.status == 422 and "belongs to the framing" in answer.body
