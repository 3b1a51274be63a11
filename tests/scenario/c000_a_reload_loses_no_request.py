"""Reloads under load, by signal and by the API: no request is lost, whatever changed."""
import pytest

from support.load import Load, QuickOrigin


@pytest.fixture
def origins():
    started = {name: QuickOrigin(name) for name in ("s1", "s2", "s3")}
    yield started
    for origin in started.values():
        origin.stop()


def sanitized():
    import subprocess
    from support.proxy import binary
    linked = subprocess.run(["ldd", binary()], capture_output=True, text=True).stdout
    return "libasan" in linked or "libtsan" in linked


def assert_clean(load):
    assert set(load.statuses) == {200} and not load.broken, (load.statuses, load.broken)


@pytest.mark.race
@pytest.mark.parametrize("by", ["signal", "api"])
def test_thirty_reloads_that_change_servers_and_routes(make_proxy, origins, by):
    proxy = make_proxy(origins, process={"workers": 4}, listener={"keepalive_requests": 50})
    load = Load(proxy.address, 16).start()
    load.wait_done(200)
    pool = proxy.config["pools"]["app"]
    for turn in range(30):
        name, origin = list(origins.items())[turn % 3]
        pool["servers"] = {key: {"address": value.address, "weight": 50 + turn} for key, value in origins.items() if key != name}
        pool["balance"] = ("round_robin", "least_requests", "random", "peak_ewma", "maglev")[turn % 5]
        proxy.config["routes"][f"extra-{turn % 4}"] = {"path": f"/extra/{turn}", "pool": "app"}
        answer = proxy.reload(by=by)
        assert answer is None or answer.status == 200, answer.body
    load.wait_done(load.done + 200)
    load.stop()
    assert_clean(load)
    assert proxy.status()["running"]["generation"] >= 31
    proxy.wait_for(lambda: proxy.metrics().value("twokey_snapshots_alive") == 1)


@pytest.mark.race
def test_signals_and_calls_at_once(make_proxy, origins):
    """A reload that is asked for while one is under way happens after it; every caller gets an answer."""
    import threading
    proxy = make_proxy(origins, process={"workers": 2})
    load = Load(proxy.address, 8).start()
    load.wait_done(50)
    answers = []

    def call():
        for turn in range(10):
            answers.append(proxy.admin("POST", "/v1/reload").status)

    threads = [threading.Thread(target=call) for _ in range(4)]
    [thread.start() for thread in threads]
    for _ in range(40):
        proxy.signal(1)
    [thread.join() for thread in threads]
    load.wait_done(load.done + 100)
    load.stop()
    assert_clean(load)
    assert answers == [200] * 40
    proxy.wait_for(lambda: proxy.metrics().value("twokey_snapshots_alive") == 1)


def test_what_was_written_last_runs_in_the_end(make_proxy, origins):
    """Each signal comes right after a change; the last change wins although reloads are merged."""
    proxy = make_proxy({"s1": origins["s1"]})
    pool = proxy.config["pools"]["app"]
    for turn in range(20):
        name = f"s{turn % 3 + 1}"
        pool["servers"] = {name: {"address": origins[name].address}}
        proxy.write_config(proxy.config)
        proxy.signal(1)
    proxy.wait_for(lambda: [server["name"] for server in proxy.pool()["servers"]] == ["s2"])
    load = Load(proxy.address, 1, 10).run()
    assert load.bodies == {"s2": 10}
    assert proxy.admin_get("/v1/drift")["drift"] is False


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_memory_stays_where_it_is(make_proxy, origins):
    if sanitized():
        pytest.skip("a sanitizer keeps freed memory")
    proxy = make_proxy(origins, process={"workers": 2})
    config = proxy.config
    for number in range(300):
        config["routes"][f"route-{number}"] = {"hosts": [f"h{number}.example"], "path_prefix": f"/p{number}", "pool": "app"}

    def turns(count):
        for turn in range(count):
            config["routes"]["route-0"]["path_prefix"] = f"/p0/{turn}"
            assert proxy.reload().status == 200
        proxy.wait_for(lambda: proxy.metrics().value("twokey_snapshots_alive") == 1)
        return proxy.rss()

    before = turns(60)
    after = turns(150)
    assert after - before < 6 * 1024 * 1024, f"{(after - before) / 150:.0f} bytes a reload"
    before = proxy.descriptors()
    turns(10)
    assert proxy.descriptors() <= before + 2
