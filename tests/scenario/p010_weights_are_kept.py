"""Weights 5:3:2 give 50, 30 and 20 %; 0 gives nothing."""
import pytest

from support.load import Load, QuickOrigin

WEIGHTS = {"s1": 50, "s2": 30, "s3": 20}


@pytest.fixture(scope="module")
def origins():
    started = {name: QuickOrigin(name) for name in ("s1", "s2", "s3", "s4")}
    yield started
    for origin in started.values():
        origin.stop()


def shares(make_proxy, origins, workers, connections, weights, total=10000, **pool):
    servers = {name: {"address": origins[name].address, "weight": weight} for name, weight in weights.items()}
    proxy = make_proxy(servers, process={"workers": workers}, pool=pool, listener={"keepalive_requests": "unlimited"})
    load = Load(proxy.address, connections, total).run()
    assert load.statuses == {200: total} and not load.broken
    return {name: 100 * load.bodies[name] / total for name in weights}


@pytest.mark.many
@pytest.mark.parametrize("workers, connections", [(w, c) for w in (1, 2, 8) for c in (1, 50, 200)])
def test_round_robin(make_proxy, origins, workers, connections):
    got = shares(make_proxy, origins, workers, connections, WEIGHTS)
    assert all(abs(got[name] - want) <= 1 for name, want in WEIGHTS.items()), got


def test_least_requests_of_one_client(make_proxy, origins):
    got = shares(make_proxy, origins, 1, 1, WEIGHTS, balance="least_requests")
    assert all(abs(got[name] - want) <= 1 for name, want in WEIGHTS.items()), got


def test_random_of_one_client(make_proxy, origins):
    got = shares(make_proxy, origins, 1, 1, WEIGHTS, 5000, balance="random")
    assert all(abs(got[name] - want) <= 3.6 for name, want in WEIGHTS.items()), got


@pytest.mark.parametrize("method", ["round_robin", "least_requests", "random", "peak_ewma", "maglev"])
def test_weight_0_gets_nothing(make_proxy, origins, method):
    got = shares(make_proxy, origins, 2, 10, {"s1": 100, "s2": 0, "s3": 1}, 1000, balance=method)
    assert got["s2"] == 0


def test_small_weights_are_as_good_as_large_ones(make_proxy, origins):
    got = shares(make_proxy, origins, 2, 20, {"s1": 5, "s2": 3, "s3": 2}, 2000)
    assert all(abs(got[name] - want) <= 1.5 for name, want in WEIGHTS.items()), got


def test_a_pool_that_weighs_nothing_has_no_server(make_proxy, origins):
    servers = {"s1": {"address": origins["s1"].address, "weight": 0}}
    load = Load(make_proxy(servers).address, 1, 3).run()
    assert load.statuses == {503: 3}
