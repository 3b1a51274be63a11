"""Sessions are taken up again by tickets, over a reload and over a restart."""
import ssl

import pytest
from support.tls import TlsClient, tls_listener


def visit(proxy, session=None, context=None, version=None):
    with TlsClient(proxy.address, session=session, context=context, version=version) as client:
        assert client.request().status == 200
        return client.sock.session_reused, client.sock.session, client.context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_session_outlives_reload_and_restart(make_proxy, origin, authority, version):
    proxy = make_proxy([origin], **tls_listener(authority.directory, authority.certificate("shop", "shop.example")))
    reused, session, context = visit(proxy, version=version)
    assert not reused
    assert visit(proxy, session, context)[0]
    proxy.reload(dict(proxy.config, routes={"everything": {"pool": "app", "response_headers": {"set": {"x-new": "1"}}}}))
    assert visit(proxy, session, context)[0]
    proxy.stop()
    proxy.start()
    assert visit(proxy, session, context)[0]
    assert proxy.metrics().value("twokey_listener_tls_resumed_total") == 1
