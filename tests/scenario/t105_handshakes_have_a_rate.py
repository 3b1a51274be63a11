"""Full handshakes beyond the rate are refused before they cost anything; sessions that are taken up again are not counted."""
import ssl

from support.tls import TlsClient, refused, tls_listener


def test_beyond_the_rate_only_known_sessions_get_in(make_proxy, origin, authority):
    shop = authority.certificate("shop", "shop.example")
    # One process, one limit, however many workers; the rate is low enough that no place comes free meanwhile.
    proxy = make_proxy([origin], **tls_listener(authority.directory, shop, handshakes_per_second=1))
    with TlsClient(proxy.address) as first:
        assert first.request().status == 200
        session, context = first.sock.session, first.context
    seen = []
    while "handshake failure" not in "".join(seen).lower() and len(seen) < 50:
        try:
            TlsClient(proxy.address).close()
        except ssl.SSLError as error:
            seen.append(str(error).replace("_", " "))
    assert "handshake failure" in seen[-1].lower()
    with TlsClient(proxy.address, session=session, context=context) as again:
        assert again.request().status == 200 and again.sock.session_reused
    metrics = proxy.metrics()
    limited = metrics.value("twokey_listener_tls_limited_total")
    assert limited >= 1 and metrics.value("twokey_listener_tls_failures_total") >= limited


def test_each_client_has_its_own_rate(make_proxy, origin, authority):
    shop = authority.certificate("shop", "shop.example")
    from_header = {"proxy_protocol": "accept", "proxy_protocol_from": ["127.0.0.1"]}
    options = tls_listener(authority.directory, shop, handshakes_per_client=1)
    options["listener"].update(from_header)
    proxy = make_proxy([origin], **options)
    for client in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        with TlsClient(proxy.address, before=f"PROXY TCP4 {client} 192.0.2.9 4000 443\r\n".encode()) as mine:
            assert mine.request().status == 200
    crowd = [refused_or_none(proxy.address, b"PROXY TCP4 192.0.2.7 192.0.2.9 4000 443\r\n") for _ in range(20)]
    assert any(crowd)


def refused_or_none(address, header):
    try:
        return refused(address, before=header)
    except AssertionError:
        return None
