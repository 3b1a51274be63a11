"""Only what a trusted proxy says of the client is believed, and our own word is added."""
from support.client import get

CLAIMS = [("X-Forwarded-For", "203.0.113.7, 198.51.100.9"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "shop.example")]


def test_a_trusted_peer_is_believed(make_proxy, origin):
    proxy = make_proxy(origin, listener={"trusted_proxies": ["127.0.0.0/8"]})
    assert get(proxy.address, headers=CLAIMS).status == 200
    seen = origin.wait_requests(1)[0]
    chain = [part.strip() for value in seen.headers.all("x-forwarded-for") for part in value.split(",")]
    assert chain == ["203.0.113.7", "198.51.100.9", "127.0.0.1"]
    assert seen.header("x-forwarded-proto") == "https" and seen.header("x-forwarded-host") == "shop.example"


def test_a_stranger_is_not(make_proxy, origin):
    proxy = make_proxy(origin, listener={"trusted_proxies": ["10.0.0.0/8"]})
    assert get(proxy.address, headers=CLAIMS).status == 200
    seen = origin.wait_requests(1)[0]
    assert seen.header("x-forwarded-for") == "127.0.0.1"
    assert seen.header("x-forwarded-proto") == "http" and seen.header("x-forwarded-host") == "test.example"


def test_the_client_is_the_rightmost_that_is_not_trusted(make_proxy, origin):
    proxy = make_proxy(origin, listener={"trusted_proxies": ["127.0.0.0/8", "198.51.100.0/24"]})
    get(proxy.address, headers=CLAIMS)
    assert proxy.access_log(1)[0]["client"].startswith("203.0.113.7")
