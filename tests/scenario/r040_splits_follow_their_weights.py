"""A split sends each pool its part of the requests."""
import collections

from support.client import Client
from support.origin import named


def counts(proxy, total):
    got = collections.Counter()
    with Client(proxy.address) as client:
        for _ in range(total):
            got[client.request().body.decode()] += 1
    return got


def proxy_with(make_origin, make_proxy, split):
    pools = {name: {"servers": {"s1": {"address": make_origin(named(name)).address}}} for name in split}
    return make_proxy([], config={"pools": {"app": None, **pools}, "routes": {"everything": {"pool": None, "split": split}}},
                      listener={"keepalive_requests": "unlimited"})


def test_the_parts_are_kept(make_origin, make_proxy):
    got = counts(proxy_with(make_origin, make_proxy, {"shop": 90, "next": 10}), 4000)
    assert 0.08 < got["next"] / 4000 < 0.12  # five standard deviations


def test_a_part_of_0_gets_nothing(make_origin, make_proxy):
    assert counts(proxy_with(make_origin, make_proxy, {"shop": 3, "none": 0, "next": 1}), 800)["none"] == 0


def test_each_pool_counts_its_own(make_origin, make_proxy):
    proxy = proxy_with(make_origin, make_proxy, {"shop": 1, "next": 1})
    got = counts(proxy, 300)
    metrics = proxy.metrics()
    for pool in ("shop", "next"):
        assert metrics.value("twokey_pool_requests_total", pool=pool) == got[pool]
