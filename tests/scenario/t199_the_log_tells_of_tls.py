"""The access log tells what a client's connection agreed on, and nothing of TLS in clear text."""
from support.client import get
from support.tls import TlsClient, tls_listener


def test_what_was_agreed_on_is_in_the_log(make_proxy, origin, authority):
    shop = authority.certificate("shop", "shop.example")
    proxy = make_proxy([origin], **tls_listener(authority.directory, shop,
                                                client_auth={"mode": "request", "ca_file": authority.cert_file}))
    ann = authority.certificate("ann", "ann.example")
    with TlsClient(proxy.address, name="shop.example", ca=authority, certificate=ann) as client:
        assert client.request(host="shop.example").status == 200
        version, (cipher, _, _), session, context = client.sock.version(), client.sock.cipher(), client.sock.session, client.context
    with TlsClient(proxy.address, name="shop.example", session=session, context=context) as again:
        assert again.request(host="shop.example").status == 200
    first, second = (line["tls"] for line in proxy.access_log(2))
    assert first == {"version": version, "cipher": cipher, "resumed": False, "server_name": "shop.example", "client": "CN=ann"}
    assert second == dict(first, resumed=True)


def test_in_clear_text_there_is_nothing_to_tell(make_proxy, origin):
    proxy = make_proxy([origin])
    get(proxy.address)
    assert "tls" not in proxy.access_log()[0] and "server_tls" not in proxy.access_log()[0]
