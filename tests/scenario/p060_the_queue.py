"""max_connections bounds what a server works on, over all workers; more waits in line, oldest first."""
import threading
import time

import pytest

from support.client import Client, build, get
from support.load import Load, QuickOrigin
from support.origin import named


class Gate:
    """An origin that answers when it is told to, and notes how many it works on at once."""

    def __init__(self):
        self.lock = threading.Lock()
        self.now = self.most = 0
        self.permits = threading.Semaphore(0)

    def __call__(self, conn, request):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        assert self.permits.acquire(timeout=30)
        with self.lock:
            self.now -= 1
        return named("gate")(conn, request)


PATIENT = {"queue": {"timeout": "30s"}}


def one_at_a_time(origin, **more):
    return {"s1": {"address": origin.address, "max_connections": 1, **more}}


def queue_length(proxy):
    return proxy.metrics().value("twokey_pool_queue_length", pool="app")


def test_first_come_first_served(make_proxy, make_origin):
    gate = Gate()
    origin = make_origin(gate)
    proxy = make_proxy(one_at_a_time(origin), process={"workers": 1}, pool=PATIENT)
    clients = []
    for number in range(6):
        client = Client(proxy.address)
        client.send(build(target=f"/{number}"))
        clients.append(client)
        origin.wait_for(lambda o: o.heads)
        proxy.wait_for(lambda number=number: queue_length(proxy) == number)
    for number, client in enumerate(clients):
        gate.permits.release()
        assert client.response().status == 200
        client.close()
    assert [head.target for head in origin.heads] == [f"/{number}" for number in range(6)] and gate.most == 1
    assert queue_length(proxy) == 0


def test_the_line_is_as_long_as_configured(make_proxy, make_origin):
    gate = Gate()
    proxy = make_proxy(one_at_a_time(make_origin(gate)), pool={"queue": {"length": 2, "timeout": "20s"}})
    waiting = [Client(proxy.address) for _ in range(3)]
    for number, client in enumerate(waiting):
        client.send(build())
        proxy.wait_for(lambda number=number: queue_length(proxy) == number)
    refused = get(proxy.address)
    assert refused.status == 503 and refused.header("retry-after") == "1"
    for _ in waiting:
        gate.permits.release()
    assert [client.response().status for client in waiting] == [200] * 3


def test_whoever_waits_too_long_gets_503(make_proxy, make_origin):
    gate = Gate()
    origin = make_origin(gate)
    proxy = make_proxy(one_at_a_time(origin), pool={"queue": {"timeout": "300ms"}})
    with Client(proxy.address) as first, Client(proxy.address) as second:
        first.send(build())
        origin.wait_for(lambda o: len(o.heads) == 1)
        began = time.monotonic()
        assert second.request().status == 503
        assert 0.2 < time.monotonic() - began < 5
        gate.permits.release()
        assert first.response().status == 200
        gate.permits.release()
        assert second.request().status == 200
    assert proxy.metrics().value("twokey_pool_queue_timeouts_total", pool="app") == 1


def test_a_client_that_goes_away_leaves_the_line(make_proxy, make_origin):
    gate = Gate()
    origin = make_origin(gate)
    proxy = make_proxy(one_at_a_time(origin), pool=PATIENT)
    with Client(proxy.address) as first, Client(proxy.address) as last:
        first.send(build(target="/first"))
        origin.wait_for(lambda o: len(o.heads) == 1)
        gone = Client(proxy.address)
        gone.send(build(target="/gone"))
        proxy.wait_for(lambda: queue_length(proxy) == 1)
        gone.close()
        proxy.wait_for(lambda: queue_length(proxy) == 0)
        last.send(build(target="/last"))
        proxy.wait_for(lambda: queue_length(proxy) == 1)
        gate.permits.release(2)
        assert (first.response().status, last.response().status) == (200, 200)
    assert [head.target for head in origin.heads] == ["/first", "/last"]


def test_a_client_that_goes_away_while_served_gives_its_place_back(make_proxy, make_origin):
    gate = Gate()
    origin = make_origin(gate)
    proxy = make_proxy(one_at_a_time(origin), pool=PATIENT)
    gone = Client(proxy.address)
    gone.send(build())
    origin.wait_for(lambda o: len(o.heads) == 1)
    with Client(proxy.address) as client:
        client.send(build())
        proxy.wait_for(lambda: queue_length(proxy) == 1)
        gone.reset()
        gate.permits.release(2)
        assert client.response().status == 200


def test_another_server_with_room_is_taken_first(make_proxy, make_origin):
    gate = Gate()
    full, free = make_origin(gate), make_origin(named("free"))
    proxy = make_proxy({"s1": {"address": full.address, "max_connections": 1}, "s2": {"address": free.address}}, process={"workers": 1}, pool=PATIENT)
    with Client(proxy.address) as first, Client(proxy.address) as second:
        sent = 0
        while not full.heads:
            first.send(build())
            sent += 1
            time.sleep(0.02)
        for _ in range(10):
            assert second.request().body == b"free"
        gate.permits.release()


@pytest.mark.race
@pytest.mark.parametrize("workers", [1, 4])
def test_nobody_is_passed_over_for_ever(make_proxy, workers):
    """24 clients, one server that takes two at once: while one waits, each other is served about once."""
    origin = QuickOrigin("s1", delay=0.002)
    try:
        proxy = make_proxy({"s1": {"address": origin.address, "max_connections": 2}}, process={"workers": workers},
                           pool=PATIENT, listener={"keepalive_requests": "unlimited"})
        load = Load(proxy.address, 24, 2000).run()
        assert load.statuses == {200: 2000} and not load.broken, (load.statuses, load.broken)
        assert load.passed_over < 10 * 24
        assert queue_length(proxy) == 0
        proxy.wait_for(lambda: proxy.metrics().value("twokey_server_in_flight", pool="app", server="s1") == 0)
    finally:
        origin.stop()


@pytest.mark.race
def test_a_place_that_is_freed_just_as_somebody_begins_to_wait(make_proxy):
    """Few clients and one place: who is not woken sees thousands served before himself, or waits until the timeout."""
    origin = QuickOrigin("s1")
    try:
        proxy = make_proxy({"s1": {"address": origin.address, "max_connections": 1}}, process={"workers": 2},
                           pool={"queue": {"timeout": "10s"}}, listener={"keepalive_requests": "unlimited"})
        load = Load(proxy.address, 3, 15000).run()
        assert load.statuses == {200: 15000}, (load.statuses, load.broken)
        assert load.passed_over < 1000
    finally:
        origin.stop()


def test_the_server_never_sees_more_than_its_limit(make_proxy, make_origin):
    gate = Gate()
    origin = make_origin(gate)
    proxy = make_proxy({"s1": {"address": origin.address, "max_connections": 3}}, process={"workers": 4}, pool=PATIENT)
    for _ in range(60):
        gate.permits.release()
    load = Load(proxy.address, 20, 60).run()
    assert load.statuses == {200: 60} and gate.most <= 3
