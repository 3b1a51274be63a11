"""An upgraded connection goes over TLS too: bytes both ways, the end of each side told."""
import pytest
from support.client import build, masked_frame
from support.origin import tunnel, websocket
from support.tls import TlsClient, tls_listener

UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
           "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}


@pytest.mark.race
def test_frames_go_both_ways(make_origin, make_proxy, authority):
    proxy = make_proxy([make_origin(websocket())],
                       **tls_listener(authority.directory, authority.certificate("shop", "shop.example")))
    with TlsClient(proxy.address) as client:
        client.send(build(headers=UPGRADE))
        assert client.head().status == 101
        for turn in range(50):
            text = b"turn %d" % turn
            client.send(masked_frame(text))
            assert client.take(2 + len(text))[2:] == text


def test_a_tunnel_ends_with_its_server(make_origin, make_proxy, authority):
    origin = make_origin(tunnel())
    proxy = make_proxy([origin], **tls_listener(authority.directory, authority.certificate("shop", "shop.example")))
    with TlsClient(proxy.address) as client:
        client.send(build(headers={"Connection": "Upgrade", "Upgrade": "echo"}))
        assert client.head().status == 101
        client.send(b"once")
        assert client.take(4) == b"once"
        origin.drop_connections()
        client.wait_closed()
