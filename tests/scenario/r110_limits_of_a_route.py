"""A route has its own timeout and its own largest body."""
import time

from support.client import Client, get
from support.origin import drip, echo, named, response, stall


def test_the_timeout_of_a_route_replaces_the_pools(make_proxy, make_origin):
    proxy = make_proxy(make_origin(stall()), pool={"timeouts": {"response": "30s"}},
                       config={"routes": {"quick": {"path_prefix": "/quick", "pool": "app", "timeouts": {"response": "200ms"}}}})
    began = time.monotonic()
    answer = get(proxy.address, "/quick")
    assert answer.status == 504 and 0.15 < time.monotonic() - began < 5


def test_a_route_may_wait_longer_than_its_pool(make_proxy, make_origin):
    proxy = make_proxy(make_origin(named("slow", delay=0.6)), pool={"timeouts": {"response": "200ms"}, "retry": {"attempts": 0}},
                       config={"routes": {"patient": {"path_prefix": "/p", "pool": "app", "timeouts": {"response": "10s"}}}})
    assert get(proxy.address, "/p").status == 200
    assert get(proxy.address, "/").status == 504


def test_the_timeout_is_between_bytes_not_for_the_whole(make_proxy, make_origin):
    proxy = make_proxy(make_origin(drip(response(200, None, b"x" * 35), gap=0.05)), route={"timeouts": {"response": "3s"}})
    assert get(proxy.address).body == b"x" * 35


def test_the_largest_body_of_a_route(make_proxy, make_origin):
    origin = make_origin(echo())
    proxy = make_proxy(origin, listener={"limits": {"body": "1KiB"}}, config={"routes": {
        "upload": {"path_prefix": "/upload", "pool": "app", "limits": {"body": "64KiB"}},
        "tiny": {"path_prefix": "/tiny", "pool": "app", "limits": {"body": "10B"}},
        "open": {"path_prefix": "/open", "pool": "app", "limits": {"body": "unlimited"}}}})
    for target, size, status in (("/", 1024, 200), ("/", 1025, 413), ("/upload", 65536, 200), ("/upload", 65537, 413),
                                 ("/tiny", 10, 200), ("/tiny", 11, 413), ("/open", 1 << 20, 200)):
        with Client(proxy.address) as client:
            assert client.request("POST", target, body=b"x" * size).status == status, (target, size)


def test_a_chunked_body_is_measured_too(make_proxy, make_origin):
    origin = make_origin(echo())
    proxy = make_proxy(origin, route={"limits": {"body": "1KiB"}})
    for size, status in ((1024, 200), (1025, 413)):
        with Client(proxy.address) as client:
            client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            client.try_send(b"%x\r\n%s\r\n0\r\n\r\n" % (size, b"y" * size))
            assert client.response("POST").status == status
