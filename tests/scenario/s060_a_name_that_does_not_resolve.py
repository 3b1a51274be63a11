"""A name that does not resolve stops neither the start nor the other servers."""
import socket

import pytest
from support.client import get
from support.health import served_by
from support.origin import named


def test_the_others_serve(make_origin, make_proxy):
    origin = make_origin(named("s1"))
    proxy = make_proxy({"s1": origin, "s2": "no-such-host.invalid:8080"})
    event = proxy.wait_event("resolve-failed", name="no-such-host.invalid")
    assert event["kept"] == 0
    assert served_by(proxy.address, 10) == {"s1": 10}
    assert proxy.server("s2")["addresses"] == []


def test_a_pool_of_nothing_else_answers_503(make_proxy):
    proxy = make_proxy({"s1": "no-such-host.invalid:8080"})
    assert get(proxy.address).status == 503


def test_a_name_that_resolves_serves(make_origin, make_proxy):
    try:
        addresses = {info[4][0] for info in socket.getaddrinfo("localhost", 0, proto=socket.IPPROTO_TCP)}
    except OSError:
        pytest.skip("localhost has no address here")
    if "127.0.0.1" not in addresses:
        pytest.skip("localhost is not 127.0.0.1 here")
    origin = make_origin(named("s1"))
    proxy = make_proxy({"s1": f"localhost:{origin.port}"})
    assert served_by(proxy.address, 10) == {"s1": 10}
    told = {address["address"] for address in proxy.server("s1")["addresses"]}
    assert f"127.0.0.1:{origin.port}" in told
