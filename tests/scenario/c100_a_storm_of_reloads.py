"""Listeners, pools, servers and routes change at random under load, by signal and by the API at once."""
import os
import random
import threading

import pytest

from support.client import get
from support.load import Load, QuickOrigin
from support.proxy import free_port

SECONDS = float(os.environ.get("TWOKEY_STORM_SECONDS", "4"))
SEED = int(os.environ.get("TWOKEY_STORM_SEED", "1"))
METHODS = ("round_robin", "least_requests", "random", "peak_ewma", "maglev")


@pytest.fixture
def origins():
    started = {f"s{i}": QuickOrigin(f"s{i}") for i in range(1, 6)}
    yield started
    for origin in started.values():
        origin.stop()


def any_config(chance, config, origins, spare):
    """One that serves `web` by some of the origins; all the rest at random."""
    names = chance.sample(sorted(origins), chance.randint(1, 5))
    pool = {"servers": {name: {"address": origins[name].address, "weight": chance.randint(1, 5), "max_connections": chance.choice([1, 3, "unlimited"])}
                        for name in names}, "balance": chance.choice(METHODS), "slow_start": chance.choice(["0s", "1s"])}
    if chance.random() < 0.3:
        pool["sticky"] = {"cookie": "tk"}
    if chance.random() < 0.3:
        pool["health_check"] = {"path": "/", "interval": "1s", "timeout": "1s"}
    name = chance.choice(["app", "other"])
    config["pools"] = {name: pool}
    if chance.random() < 0.5:
        config["pools"]["more"] = {"servers": {"x": {"address": "localhost:9"}, "y": {"address": "does-not-exist.invalid:1"}}}
    config["routes"] = {f"r{i}": {"hosts": [f"h{i}.example"], "pool": name, "rate_limit": {"requests_per_second": 5}} for i in range(chance.randint(0, 20))}
    config["routes"]["everything"] = {"pool": name}
    web = config["listeners"].get("web") or config["listeners"]["front"]
    config["listeners"] = {chance.choice(["web", "front"]): web}
    for number, address in enumerate(spare):
        if chance.random() < 0.5:
            config["listeners"][f"spare-{number}"] = {"address": address}
    return config


@pytest.mark.race
@pytest.mark.timeout(60 + 2 * SECONDS)
def test_nothing_is_lost(make_proxy, origins):
    chance = random.Random(SEED)
    spare = [f"127.0.0.1:{free_port()}" for _ in range(3)]
    proxy = make_proxy(origins, process={"workers": 3}, pool={"queue": {"timeout": "10s"}})
    web = proxy.address
    loads = [Load(web, 6, seconds=SECONDS).start(), Load(web, 2, seconds=SECONDS, per_connection=1).start(),
             Load(web, 2, seconds=SECONDS, target="/x?y").start()]
    statuses = []
    ended = threading.Event()

    def signals():
        while not ended.wait(0.03):
            proxy.signal(1)

    def calls():
        while not ended.is_set():
            statuses.append(proxy.admin("POST", "/v1/reload", timeout=60).status)
            proxy.metrics()

    threads = [threading.Thread(target=signals), threading.Thread(target=calls)]
    [thread.start() for thread in threads]
    while any(load._thread.is_alive() for load in loads):
        any_config(chance, proxy.config, origins, spare)
        proxy.config["admin"] = {"listen": proxy.admin_address}
        staged = proxy.conf_dir + "/all.json.new"
        with open(staged, "w") as file:
            import json
            json.dump(proxy.config, file)
        for name in os.listdir(proxy.conf_dir):
            if name.endswith(".json") and name != "all.json":
                os.unlink(os.path.join(proxy.conf_dir, name))
        os.rename(staged, proxy.conf_dir + "/all.json")
        ended.wait(0.02)
    ended.set()
    [thread.join() for thread in threads]
    for load in loads:
        load.join()
        assert set(load.statuses) == {200} and not load.broken, (SEED, load.statuses, load.broken)
    assert proxy.admin("POST", "/v1/reload", timeout=60).status == 200
    assert get(web).status == 200
    proxy.wait_for(lambda: proxy.metrics().value("twokey_snapshots_alive") == 1)
    assert set(statuses) <= {200, 422}
