"""Servers come and go by reload while others fail, are ejected and checked: no request is lost."""
import threading

import pytest
from support.client import Client
from support.health import CHECK, Switch, checked
from support.origin import named, reset


@pytest.mark.race
@pytest.mark.timeout(120)
def test_nothing_is_lost(make_origin, make_proxy):
    """One good server stays; bad ones are added, removed, drained and ejected around it."""
    good = [make_origin(checked(f"g{i}", Switch())) for i in range(2)]
    bad = [make_origin({"/healthz": Switch(), "*": reset()}) for _ in range(3)]
    pool = {"health_check": CHECK, "slow_start": "1s",
            "ejection": {"consecutive_failures": 2, "base_time": "1s", "max_time": "1s"},
            "retry": {"attempts": 4, "budget_percent": 100, "min_per_second": 10000}}
    proxy = make_proxy({"g0": good[0], "g1": good[1]}, pool=pool)
    wrong, asked, over = [], [0], threading.Event()

    def ask():
        while not over.is_set():
            with Client(proxy.address) as client:
                for _ in range(100):  # below keepalive_requests
                    ask_once(client)

    def ask_once(client):
        try:
            status = client.request().status
        except Exception as fault:  # whatever it is, it is not a 200
            status = fault
        asked[0] += 1
        if status != 200:
            wrong.append(status)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(30):
            servers = {"g0": {"address": good[0].address}, "g1": {"address": good[1].address}}
            for number, origin in enumerate(bad):
                if (turn + number) % 3:
                    servers[f"b{number}"] = {"address": origin.address, "state": ("ready", "drain", "maint")[turn // 5 % 3]}
            if turn % 4 == 3:
                servers["g1"]["state"] = "drain"
            proxy.config["pools"]["app"]["servers"] = servers
            proxy.reload(by="api" if turn % 2 else "signal")
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert asked[0] > 50 and not wrong
    proxy.wait_for(lambda: proxy.pool()["now"]["in_flight"] == 0)
    assert proxy.log_events("server-ejected")


@pytest.mark.race
def test_a_pool_disappears_while_its_servers_are_ejected(make_origin, make_proxy):
    origins = [make_origin(named("s1")), make_origin(reset())]
    proxy = make_proxy(origins, pool={"ejection": {"consecutive_failures": 2, "base_time": "1s", "max_time": "1s"}})

    def ask():
        with Client(proxy.address) as client:
            return {client.request().status for _ in range(10)}

    proxy.wait_for(lambda: ask() == {200} and proxy.log_events("server-ejected"))
    proxy.config["pools"]["other"] = {"servers": {"s1": {"address": origins[0].address}}}
    proxy.config["routes"]["everything"]["pool"] = "other"
    app = proxy.config["pools"].pop("app")
    assert proxy.reload().status < 300
    assert ask() == {200}
    proxy.config["pools"]["app"] = app
    proxy.config["routes"]["everything"]["pool"] = "app"
    assert proxy.reload().status < 300
    assert ask() == {200}
