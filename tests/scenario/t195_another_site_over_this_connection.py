"""Over TLS for one name another host may be asked for only where it has the same certificate; else 421."""
import pytest
from support.tls import TlsClient, tls_listener


@pytest.fixture
def proxy(make_proxy, origin, authority):
    return make_proxy([origin], **tls_listener(authority.directory, authority.certificate("shop", "shop.example", "www.shop.example"),
                                               authority.certificate("other", "other.example", "*.wild.example")))


@pytest.mark.parametrize("name, host, status", [
    ("shop.example", "shop.example", 200), ("shop.example", "SHOP.example:8443", 200), ("shop.example", "www.shop.example", 200),
    ("shop.example", "other.example", 421), ("other.example", "shop.example", 421), ("other.example", "a.wild.example", 200),
    ("a.wild.example", "b.wild.example", 200), ("shop.example", "unknown.example", 200), ("other.example", "unknown.example", 421),
    ("unknown.example", "shop.example", 200), ("unknown.example", "other.example", 421), (None, "other.example", 200)])
def test_the_certificate_decides(proxy, origin, name, host, status):
    with TlsClient(proxy.address, name=name) as client:
        assert client.request(host=host).status == status
        assert client.request(host=name or "shop.example").status == 200
    assert len(origin.requests) == (2 if status == 200 else 1)
