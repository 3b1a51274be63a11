"""A listener may ask for a client's certificate, and may demand one that its authority has signed."""
import pytest
from support.tls import Authority, TlsClient, refused, tls_listener


@pytest.fixture
def listener(authority):
    def make(mode):
        return tls_listener(authority.directory, authority.certificate("shop", "shop.example"),
                            client_auth={"mode": mode, "ca_file": authority.cert_file})
    return make


def test_where_it_is_demanded_nobody_else_comes_in(make_proxy, origin, authority, listener):
    proxy = make_proxy([origin], **listener("require"))
    stranger = Authority(authority.directory, "stranger")
    assert "certificate required" in refused(proxy.address).lower()
    assert "unknown ca" in refused(proxy.address, certificate=stranger.certificate("eve", "ann.people")).lower()
    with TlsClient(proxy.address, certificate=authority.certificate("ann", "ann.people")) as client:
        assert client.request().status == 200
    assert proxy.metrics().value("twokey_listener_tls_failures_total") == 2


def test_where_it_is_asked_for_it_may_be_left_out_but_not_be_wrong(make_proxy, origin, authority, listener):
    proxy = make_proxy([origin], **listener("request"))
    stranger = Authority(authority.directory, "stranger")
    with TlsClient(proxy.address) as client:
        assert client.request().status == 200
    assert "unknown ca" in refused(proxy.address, certificate=stranger.certificate("eve", "ann.people")).lower()
