"""10,000 clients that wait: little memory each, others are served, and all of them still are."""
import resource
import time

import pytest

from support.bounds import SCALE
from support.client import Client, build, get
from support.origin import ok

COUNT = 10_000


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * COUNT:
        pytest.skip(f"only {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * COUNT)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def ask(client):
    client.send(build())
    return client.response().status


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_ten_thousand(many_descriptors, make_proxy, make_origin):
    proxy = make_proxy(make_origin(ok(b"x"), keep=False), listener={"timeouts": {"keepalive": "10m"}})
    assert get(proxy.address).status == 200
    before = proxy.rss()
    clients = []
    try:
        for number in range(COUNT):
            client = Client(proxy.address, timeout=30)
            clients.append(client)
            if number % 4 == 0:  # some have been served before they wait
                assert ask(client) == 200
        proxy.wait_for(lambda: proxy.metrics().value("twokey_listener_connections_idle") == COUNT, timeout=30)
        each = (proxy.rss() - before) / COUNT
        began = time.monotonic()
        for _ in range(50):
            assert get(proxy.address).status == 200
        assert time.monotonic() - began < 15
        for client in clients[::50]:
            assert ask(client) == 200
        assert each < (4096 if SCALE == 1 else 8192), f"{each:.0f} bytes a connection"  # sanitizers keep more
    finally:
        for client in clients:
            client.close()
    proxy.wait_for(lambda: proxy.metrics().value("twokey_listener_connections_open") == 0, timeout=30)
