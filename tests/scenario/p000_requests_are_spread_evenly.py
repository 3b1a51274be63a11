"""Four equal servers: each gets a quarter, whatever the workers and connections."""
import pytest

from support.load import Load, QuickOrigin

NAMES = ("s1", "s2", "s3", "s4")
MATRIX = [(workers, connections) for workers in (1, 2, 8) for connections in (1, 50, 200)]


@pytest.fixture(scope="module")
def origins():
    started = {name: QuickOrigin(name) for name in NAMES}
    yield started
    for origin in started.values():
        origin.stop()


def spread(make_proxy, origins, workers, connections, total=10000, headers=(), **pool):
    proxy = make_proxy(origins, process={"workers": workers}, pool=pool, listener={"keepalive_requests": "unlimited"})
    load = Load(proxy.address, connections, total, headers=headers).run()
    assert load.statuses == {200: total} and not load.broken
    metrics = proxy.metrics()
    for name in origins:
        assert metrics.value("twokey_server_requests_total", pool="app", server=name) == load.bodies[name]
    return {name: 100 * load.bodies[name] / total for name in origins}


@pytest.mark.many
@pytest.mark.parametrize("workers, connections", MATRIX)
def test_round_robin(make_proxy, origins, workers, connections):
    shares = spread(make_proxy, origins, workers, connections)
    assert all(24 <= share <= 26 for share in shares.values()), shares


def test_least_requests_of_one_client(make_proxy, origins):
    shares = spread(make_proxy, origins, 1, 1, balance="least_requests")
    assert all(24 <= share <= 26 for share in shares.values()), shares


def test_random_of_one_client(make_proxy, origins):
    shares = spread(make_proxy, origins, 1, 1, 5000, balance="random")
    assert all(abs(share - 25) <= 3 for share in shares.values()), shares  # five standard deviations


@pytest.mark.parametrize("method", ["least_requests", "random", "peak_ewma"])
@pytest.mark.parametrize("workers, connections", [(2, 50), (8, 200)])
def test_methods_that_look_at_the_servers_leave_none_out(make_proxy, origins, workers, connections, method):
    """What the machine gives each server's process decides here: the quicker one gets more."""
    shares = spread(make_proxy, origins, workers, connections, 4000, balance=method)
    assert all(share > 3 for share in shares.values()), shares


def test_one_client_of_maglev_stays_with_its_server(make_proxy, origins):
    shares = spread(make_proxy, origins, 2, 1, 500, balance="maglev")
    assert sorted(shares.values()) == [0, 0, 0, 100]


@pytest.mark.race
@pytest.mark.parametrize("method", ["round_robin", "least_requests", "random", "peak_ewma", "maglev"])
def test_many_workers_at_once(make_proxy, origins, method):
    spread(make_proxy, origins, 8, 32, 2000, balance=method)
