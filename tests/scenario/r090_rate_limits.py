"""A rate limit is the whole process's: what is above it gets 429 and is told when to come again."""
import threading
import time

import pytest

from support.client import Client, get


def limited(make_proxy, origin, limit, **more):
    return make_proxy(origin, route={"rate_limit": limit}, **more)


def test_burst_then_429_with_retry_after(make_proxy, origin):
    proxy = limited(make_proxy, origin, {"requests_per_second": 1, "burst": 5})
    with Client(proxy.address) as client:
        statuses = [client.request().status for _ in range(8)]
        refused = client.request()
    assert statuses == [200] * 5 + [429] * 3
    assert refused.status == 429 and 1 <= int(refused.header("retry-after")) <= 2
    assert proxy.metrics().value("twokey_route_rate_limited_total", route="everything") == 4
    assert len(origin.requests) == 5


def test_whoever_waits_as_told_passes(make_proxy, origin):
    proxy = limited(make_proxy, origin, {"requests_per_second": 2, "burst": 1})
    assert get(proxy.address).status == 200
    refused = get(proxy.address)
    assert refused.status == 429
    time.sleep(int(refused.header("retry-after")))
    assert get(proxy.address).status == 200


def test_clients_are_counted_apart(make_proxy, origin):
    proxy = limited(make_proxy, origin, {"requests_per_second": 1, "burst": 1}, listener={"trusted_proxies": ["127.0.0.0/8"]})
    for client in ("10.0.0.1", "10.0.0.2", "2001:db8::1"):
        assert get(proxy.address, headers={"X-Forwarded-For": client}).status == 200
    assert get(proxy.address, headers={"X-Forwarded-For": "10.0.0.1"}).status == 429


def test_values_of_a_field_are_counted_apart(make_proxy, origin):
    proxy = limited(make_proxy, origin, {"requests_per_second": 1, "burst": 1, "key": "header:X-Api-Key"})
    for key in ("a", "b"):
        assert get(proxy.address, headers={"x-api-key": key}).status == 200
        assert get(proxy.address, headers={"x-api-key": key}).status == 429
    assert get(proxy.address).status == 200
    assert get(proxy.address).status == 429


def test_a_route_can_be_limited_as_a_whole(make_proxy, origin):
    proxy = limited(make_proxy, origin, {"requests_per_second": 1, "burst": 2, "key": "route"}, listener={"trusted_proxies": ["127.0.0.0/8"]})
    statuses = [get(proxy.address, headers={"X-Forwarded-For": f"10.0.0.{i}"}).status for i in range(3)]
    assert statuses == [200, 200, 429]


def test_other_routes_are_not_limited(make_proxy, origin):
    proxy = limited(make_proxy, origin, {"requests_per_second": 1, "burst": 1}, config={"routes": {"free": {"path": "/free", "pool": "app"}}})
    assert [get(proxy.address).status for _ in range(2)] == [200, 429]
    assert [get(proxy.address, "/free").status for _ in range(5)] == [200] * 5


@pytest.mark.race
def test_the_limit_is_kept_over_all_workers(make_proxy, origin):
    """200 a second and a burst of 100, asked for at once from 16 connections over 4 workers for two seconds."""
    proxy = limited(make_proxy, origin, {"requests_per_second": 200, "burst": 100}, process={"workers": 4},
                    listener={"keepalive_requests": "unlimited"})
    passed, ends = [], []
    start = time.monotonic()

    def ask():
        with Client(proxy.address) as client:
            while time.monotonic() < start + 2:
                if client.request().status == 200:
                    passed.append(1)
            ends.append(time.monotonic())

    threads = [threading.Thread(target=ask) for _ in range(16)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    allowed = 100 + 200 * (max(ends) - start)
    assert len(passed) <= allowed + 16
    assert len(passed) >= 0.5 * allowed
