"""The name that a client asks for chooses the certificate: exact, then a wildcard, then the default or none."""
import pytest
from support.tls import TlsClient, refused, tls_listener


@pytest.fixture
def certificates(authority):
    return [authority.certificate("shop", "shop.example", "www.shop.example"), authority.certificate("wild", "*.wild.example"),
            authority.certificate("rsa", "other.example", key="rsa")]


@pytest.mark.parametrize("name, which", [("shop.example", 0), ("WWW.Shop.Example", 0), ("a.wild.example", 1), ("other.example", 2),
                                         ("a.b.wild.example", 0), ("unknown.example", 0), (None, 0)])
def test_a_name_gets_its_certificate(make_proxy, origin, authority, certificates, name, which):
    proxy = make_proxy([origin], **tls_listener(authority.directory, *certificates))
    with TlsClient(proxy.address, name=name) as client:
        assert client.peer_serial() == certificates[which].serial()
        assert client.request(host=name or "shop.example").status == 200


def test_unknown_names_are_refused_where_that_is_wanted(make_proxy, origin, authority, certificates):
    proxy = make_proxy([origin], **tls_listener(authority.directory, *certificates, unknown_sni="reject"))
    assert "unrecognized name" in refused(proxy.address, name="unknown.example").lower()
    refused(proxy.address)
    with TlsClient(proxy.address, name="a.wild.example", ca=authority) as client:
        assert client.request(host="a.wild.example").status == 200
