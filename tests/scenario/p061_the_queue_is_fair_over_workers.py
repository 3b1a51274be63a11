"""Requests that wait for a place: none is forgotten, the oldest goes first, and none waits too long."""
import threading
import time

from support.bounds import SCALE
from support.client import Client, build
from support.origin import named


def ask_all(address, clients, requests):
    """(status, seconds) of each request."""
    seen, lock = [], threading.Lock()

    def ask():
        with Client(address) as client:
            for _ in range(requests):
                begun = time.monotonic()
                status = client.request().status
                with lock:
                    seen.append((status, time.monotonic() - begun))

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def start(make_origin, make_proxy, delay, timeout, workers=4):
    origin = make_origin(named("s1", delay=delay))
    return make_proxy({"s1": {"address": origin.address, "max_connections": 1}},
                      process={"workers": workers}, pool={"queue": {"length": 1000, "timeout": timeout}})


def test_nobody_is_forgotten(make_origin, make_proxy):
    """Ten at a time for one place of a few milliseconds: nobody comes near the timeout."""
    proxy = start(make_origin, make_proxy, 0.002, "20s")
    seen = ask_all(proxy.address, 10, 100)
    assert {status for status, _ in seen} == {200}
    assert max(seconds for _, seconds in seen) < 10
    assert proxy.metrics().value("twokey_pool_queued_total") > 0


def test_the_timeout_is_the_longest_wait(make_origin, make_proxy):
    """Far more than can be served: who waits in vain knows it after the timeout, not later."""
    proxy = start(make_origin, make_proxy, 0.05, "500ms")
    seen = ask_all(proxy.address, 40, 3)
    waited = [seconds for status, seconds in seen if status == 503]
    assert waited and 0.4 < min(waited)
    assert max(seconds for _, seconds in seen) < 3 + 3 * SCALE
    assert proxy.metrics().value("twokey_pool_queue_timeouts_total") == len(waited)
    proxy.wait_for(lambda: proxy.metrics().value("twokey_pool_queue_length") == 0)


def test_the_oldest_goes_first(make_origin, make_proxy):
    """Whichever worker each of them waits at."""
    gate = threading.Event()
    origin = make_origin({"/hold": lambda conn, request: gate.wait(30) and named("s1")(conn, request), "*": named("s1")})
    proxy = make_proxy({"s1": {"address": origin.address, "max_connections": 1}},
                       process={"workers": 4}, pool={"queue": {"timeout": "30s"}})
    clients = [Client(proxy.address) for _ in range(13)]
    clients[0].send(build(target="/hold"))
    origin.wait_requests(1)
    for number, client in enumerate(clients[1:], 1):
        client.send(build(target=f"/{number}"))
        proxy.wait_for(lambda count=number: proxy.metrics().value("twokey_pool_queue_length") == count)
        time.sleep(0.01)  # those within a few milliseconds are of one age
    gate.set()
    for client in clients:
        assert client.response().status == 200
        client.close()
    assert [request.target for request in origin.requests[1:]] == [f"/{number}" for number in range(1, 13)]
