"""Few descriptors: requests that find none get 503, nobody else notices, and it recovers."""
import os
import resource
import shutil
import stat

import pytest

from support.client import Client, Ended, build, get
from support.origin import ok, stall
from support.proxy import binary


@pytest.fixture
def limited(tmp_path, monkeypatch):
    """limited(n): the proxy may open n descriptors."""
    def limit(count):
        wrapper = tmp_path / "twokey"
        wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("prlimit")} --nofile={count}:{count} {binary()} "$@"\n')
        wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("TWOKEY_BIN", os.fspath(wrapper))
    return limit


def test_it_survives_and_recovers(limited, make_proxy, make_origin):
    """More clients with a request each than there are descriptors for both sides."""
    limited(80)
    origin = make_origin({"/stall": stall(), "*": ok(b"fine")})
    proxy = make_proxy(origin, pool={"timeouts": {"response": "60s"}, "ejection": {"consecutive_failures": 0}})
    clients = [Client(proxy.address) for _ in range(100)]
    for client in clients:
        client.try_send(build("GET", "/stall"))
    proxy.wait_for(lambda: proxy.metrics().value("twokey_server_in_flight") > 5)
    for _ in range(5):
        assert proxy.admin("GET", "/healthz").status == 200
    for client in clients:
        client.reset()
    proxy.wait_for(lambda: proxy.metrics().value("twokey_listener_connections_open") == 0)
    for _ in range(50):
        assert get(proxy.address).body == b"fine"


def test_no_socket_to_the_server_is_503(limited, make_proxy, make_origin):
    """Descriptors run out between the client's connection and the server's."""
    limited(600)
    origin = make_origin({"/stall": stall(), "*": ok(b"fine")})
    proxy = make_proxy(origin, pool={"timeouts": {"response": "60s"}, "ejection": {"consecutive_failures": 0}})
    clients = [Client(proxy.address) for _ in range(150)]
    for client in clients:
        assert client.request().body == b"fine"
    room = proxy.descriptors() + 20
    resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, (room, room))
    for client in clients:
        client.send(build("GET", "/stall"))
    answers = []
    for client in clients:
        client.sock.settimeout(0.5 if len(answers) < 3 else 0.02)
        try:
            answers.append(client.response().status)
        except (TimeoutError, Ended):
            pass
    assert answers and set(answers) == {503}
    for client in clients:
        client.reset()
    proxy.wait_for(lambda: proxy.metrics().value("twokey_listener_connections_open") == 0)
    assert proxy.metrics().value("twokey_server_failures_total") == 0
    assert get(proxy.address).body == b"fine"


def test_accepting_without_a_descriptor_left(limited, make_proxy, make_origin):
    limited(600)
    proxy = make_proxy(make_origin(ok(b"fine")))
    assert get(proxy.address).body == b"fine"
    room = proxy.descriptors() + 3
    resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, (room, room))
    clients = [Client(proxy.address) for _ in range(30)]
    for client in clients:
        client.try_send(build())
    for client in clients:
        client.sock.settimeout(1)
        try:
            assert client.response().status in (200, 503)
        except (Ended, TimeoutError):
            pass
        client.close()
    proxy.wait_for(lambda: get(proxy.address).status == 200)
