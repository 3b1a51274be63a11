"""A reload takes up renewed files: old connections go on, new ones get the new certificate, no handshake fails."""
import threading

import pytest
from support.tls import TlsClient, tls_listener


@pytest.mark.race
def test_no_handshake_fails_while_a_certificate_is_replaced(make_proxy, origin, authority):
    shop = authority.certificate("shop", "shop.example")
    proxy = make_proxy([origin], **tls_listener(authority.directory, shop))
    seen, failures, stop = [], [], threading.Event()

    def visit():
        while not stop.is_set():
            try:
                with TlsClient(proxy.address, name="shop.example", ca=authority) as client:
                    assert client.request(host="shop.example").status == 200
                    seen.append(client.peer_serial())
            except Exception as error:  # pylint: disable=broad-except
                failures.append(repr(error))

    visitors = [threading.Thread(target=visit) for _ in range(3)]
    with TlsClient(proxy.address, name="shop.example", ca=authority) as old:
        for visitor in visitors:
            visitor.start()
        serials = [shop.serial()]
        for turn in range(4):
            shop.replace(authority.certificate(f"next{turn}", "shop.example"))
            serials.append(shop.serial())
            assert proxy.reload().status == 200
            proxy.wait_for(lambda: seen and seen[-1] == serials[-1])
        stop.set()
        for visitor in visitors:
            visitor.join()
        assert not failures and set(seen) <= set(serials)
        assert old.request(host="shop.example").status == 200 and old.peer_serial() == serials[0]
