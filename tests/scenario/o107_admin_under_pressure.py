"""Slow and many admin callers disturb neither each other nor traffic."""
import http.client
import threading
import time

import pytest
from support.bounds import SCALE
from support.client import Client, build, get


def test_slow_callers_delay_nobody(make_origin, make_proxy):
    proxy = make_proxy(make_origin())
    slow = [Client(proxy.admin_address) for _ in range(50)]
    for number, client in enumerate(slow):
        client.send(b"POST /v1/explain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{" if number % 2 else b"GET /v1/sta")
    began = time.monotonic()
    for _ in range(20):
        assert proxy.admin("GET", "/v1/status").status == 200
        assert get(proxy.address).status == 200
    assert time.monotonic() - began < 10 * SCALE
    for client in slow:
        client.close()


def test_a_caller_who_does_not_read_delays_nobody(make_origin, make_proxy):
    proxy = make_proxy(make_origin())
    with Client(proxy.admin_address, receive_buffer=4096) as client:
        for _ in range(200):
            client.try_send(build("GET", "/v1/openapi.json", host="localhost"))
        began = time.monotonic()
        for _ in range(20):
            assert proxy.admin("GET", "/metrics").status == 200
        assert time.monotonic() - began < 10 * SCALE


@pytest.mark.timeout(120)
def test_200_callers_at_once_while_traffic_flows(make_origin, make_proxy):
    proxy = make_proxy([make_origin(), make_origin()])
    paths = ["/v1/status", "/metrics", "/v1/pools", "/v1/pools/app", "/v1/config", "/v1/openapi.json", "/healthz", "/v1/drift"]
    host, _, port = proxy.admin_address.rpartition(":")
    wrong, served, stop = [], [], threading.Event()

    def call(number):
        try:
            connection = http.client.HTTPConnection(host, int(port), timeout=30)
            for turn in range(5):
                connection.request("GET", paths[(number + turn) % len(paths)])
                reply = connection.getresponse()
                reply.read()
                if reply.status != 200:
                    wrong.append((paths[(number + turn) % len(paths)], reply.status))
            connection.close()
        except OSError as fault:
            wrong.append(fault)

    def traffic():
        with Client(proxy.address) as client:
            while not stop.is_set():
                client.send(build())
                if client.response().status != 200:
                    wrong.append("traffic")
                served.append(1)

    senders = [threading.Thread(target=traffic) for _ in range(2)]
    callers = [threading.Thread(target=call, args=(number,)) for number in range(200)]
    for thread in senders + callers:
        thread.start()
    for thread in callers:
        thread.join()
    assert proxy.admin("POST", "/v1/reload").status == 200
    stop.set()
    for thread in senders:
        thread.join()
    assert not wrong, wrong[:5]
    assert len(served) > 10


def test_callers_leave_no_descriptors_behind(make_origin, make_proxy):
    proxy = make_proxy(make_origin())
    proxy.status()
    before = proxy.descriptors()
    for number in range(200):
        with Client(proxy.admin_address) as client:
            client.send(build("GET", "/v1/status", host="localhost"))
            if number % 2:
                client.reset()
            else:
                assert client.response().status == 200
    proxy.wait_for(lambda: proxy.descriptors() <= before + 2)
