"""connections_per_client refuses; max_connections lets the rest wait; both recover."""
import time

import pytest

from support.client import Client, build
from support.origin import after, ok, stall


def test_connections_per_client(make_proxy, origin):
    proxy = make_proxy(origin, listener={"limits": {"connections_per_client": 3}})
    clients = [Client(proxy.address) for _ in range(3)]
    for client in clients:
        assert client.request().status == 200
    for _ in range(5):
        with Client(proxy.address) as refused:
            assert refused.wait_closed()
    assert clients[0].request().status == 200
    assert proxy.metrics().value("twokey_listener_connections_refused_total") == 5
    clients.pop().close()
    proxy.wait_for(lambda: proxy.metrics().value("twokey_listener_connections_open") == 2)
    with Client(proxy.address) as client:
        assert client.request().status == 200
    for client in clients:
        client.close()


def test_another_client_has_its_own_limit(make_proxy, origin):
    proxy = make_proxy(origin, listener={"address": proxy_address(), "limits": {"connections_per_client": 1}})
    port = int(proxy.address.rpartition(":")[2])
    with bound("127.0.0.1", port) as first, bound("127.0.0.2", port) as second:
        for sock in (first, second):
            sock.sendall(build())
            assert sock.recv(100).startswith(b"HTTP/1.1 200")


def proxy_address():
    from support.proxy import free_port
    return f"127.0.0.1:{free_port()}"


def bound(source, port):
    import socket
    return socket.create_connection(("127.0.0.1", port), 10, (source, 0))


def test_max_connections_waits_and_goes_on(make_proxy, make_origin):
    """One too many is neither refused nor lost: it is served when there is room."""
    proxy = make_proxy(make_origin(ok(b"served")), process={"max_connections": 10})
    clients = [Client(proxy.address) for _ in range(10)]
    for client in clients:
        assert client.request().status == 200
    waiting = [Client(proxy.address) for _ in range(20)]
    for client in waiting:
        client.send(build())
    time.sleep(0.3)
    open_now = proxy.metrics().value("twokey_listener_connections_open")
    assert open_now <= 10
    assert clients[0].request().body == b"served"
    for number, client in enumerate(clients + waiting):
        if number >= 10:
            assert client.response().body == b"served"
        client.close()
    proxy.wait_for(lambda: proxy.metrics().value("twokey_listener_connections_open") == 0)
    with Client(proxy.address) as client:
        assert client.request().body == b"served"


@pytest.mark.race
def test_max_connections_under_churn(make_proxy, make_origin):
    proxy = make_proxy(make_origin(after(0.005, ok())), process={"max_connections": 4})
    for _ in range(10):
        clients = [Client(proxy.address) for _ in range(12)]
        for client in clients:
            client.send(build(headers={"Connection": "close"}))
        for client in clients:
            assert client.response().status == 200
            client.close()
    proxy.wait_for(lambda: proxy.metrics().value("twokey_listener_connections_open") == 0)


def test_a_stop_while_connections_wait(make_proxy, make_origin):
    proxy = make_proxy(make_origin(stall()), process={"max_connections": 2, "shutdown_timeout": "1s"})
    clients = [Client(proxy.address) for _ in range(6)]
    for client in clients:
        client.send(build())
    time.sleep(0.2)
    proxy.stop()
    for client in clients:
        client.close()


def test_a_reload_raises_the_limit(make_proxy, make_origin):
    proxy = make_proxy(make_origin(stall()), process={"max_connections": 2, "shutdown_timeout": "1s"})
    clients = [Client(proxy.address) for _ in range(6)]
    for client in clients:
        client.send(build())
    proxy.wait_for(lambda: proxy.metrics().value("twokey_server_in_flight") == 2)
    config = proxy.config
    config["process"]["max_connections"] = 100
    assert proxy.reload(config).status == 200
    proxy.wait_for(lambda: proxy.metrics().value("twokey_server_in_flight") == 6)
    for client in clients:
        client.close()
