"""connect, response, a route's own response, idle connections."""
import time

from support.client import Client, get
from support.origin import after, ok

NO_RETRY = {"retry": {"attempts": 0}, "ejection": {"consecutive_failures": 0}}


def full_backlog():
    """A listening socket that takes no connection: its queue is full."""
    import socket
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(0)
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(sock.getsockname())
        fillers.append(filler)
    time.sleep(0.1)
    return sock, fillers


def test_connect(make_proxy, make_origin):
    sock, fillers = full_backlog()
    proxy = make_proxy([f"127.0.0.1:{sock.getsockname()[1]}"], pool={"timeouts": {"connect": "300ms"}, **NO_RETRY})
    began = time.monotonic()
    assert get(proxy.address).status == 504
    assert 0.25 < time.monotonic() - began < 8
    assert proxy.access_log(1)[0]["failure"] == "connect-timeout"
    for each in (sock, *fillers):
        each.close()


def test_a_connect_that_hangs_is_tried_elsewhere(make_proxy, make_origin):
    sock, fillers = full_backlog()
    proxy = make_proxy({"s1": f"127.0.0.1:{sock.getsockname()[1]}", "s2": make_origin(ok(b"s2"))},
                       pool={"timeouts": {"connect": "200ms"}, "ejection": {"consecutive_failures": 0}})
    with Client(proxy.address) as client:
        for _ in range(4):
            assert client.request("POST", body=b"a").body == b"s2"
    for each in (sock, *fillers):
        each.close()


def test_a_routes_own_response_timeout(make_proxy, make_origin):
    proxy = make_proxy(make_origin(after(2.0, ok())), pool={"timeouts": {"response": "300ms"}, **NO_RETRY},
                       config={"routes": {"slow": {"path": "/slow", "priority": 1, "pool": "app",
                                                   "timeouts": {"response": "20s"}}}})
    assert get(proxy.address, "/slow").status == 200
    assert get(proxy.address, "/fast").status == 504


def test_idle_connections_to_servers_end(make_proxy, origin):
    proxy = make_proxy(origin, pool={"keepalive": {"idle_timeout": "300ms"}})
    assert get(proxy.address).status == 200
    began = time.monotonic()
    origin.wait_for(lambda o: o.connections and not o.open_connections())
    assert 0.2 < time.monotonic() - began < 8


def test_max_requests_of_a_server_connection(make_proxy, origin):
    proxy = make_proxy(origin, process={"workers": 1}, pool={"keepalive": {"max_requests": 3}})
    with Client(proxy.address) as client:
        for _ in range(9):
            assert client.request().status == 200
    assert len(origin.connections) == 3


def test_no_idle_connections_when_none_are_wanted(make_proxy, origin):
    proxy = make_proxy(origin, process={"workers": 1}, pool={"keepalive": {"idle_per_worker": 0}})
    with Client(proxy.address) as client:
        for _ in range(3):
            assert client.request().status == 200
    assert len(origin.connections) == 3
