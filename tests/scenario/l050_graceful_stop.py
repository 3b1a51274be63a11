"""SIGTERM: what is under way ends, what is idle closes, exit 0; a second one ends at once."""
import signal
import threading
import time

import pytest

from support.client import Client, Ended, build
from support.origin import after, echo, ok, response, stall


def test_requests_under_way_end_and_idle_connections_close(make_proxy, make_origin):
    origin = make_origin({"/slow": after(0.8, ok(b"slow")), "*": ok()})
    proxy = make_proxy(origin)
    idle, busy, silent = Client(proxy.address), Client(proxy.address), Client(proxy.address)
    assert idle.request().status == 200
    busy.send(build("GET", "/slow") + build("GET", "/never"))
    origin.wait_for(lambda o: any(head.target == "/slow" for head in o.heads))
    proxy.signal(signal.SIGTERM)
    assert idle.wait_closed() and silent.wait_closed()
    answer = busy.response()
    assert answer.body == b"slow" and answer.says_close
    assert busy.wait_closed()
    assert proxy.wait_exit(10) == 0
    assert "/never" not in [head.target for head in origin.heads]


def test_an_upload_under_way_ends(make_proxy, make_origin):
    proxy = make_proxy(make_origin(echo()))
    with Client(proxy.address) as client:
        client.send(build("POST", "/", [("Content-Length", "10")]) + b"12345")
        time.sleep(0.1)
        proxy.signal(signal.SIGTERM)
        time.sleep(0.3)
        client.send(b"67890")
        assert client.response().body == b"1234567890"
        assert proxy.wait_exit(10) == 0


def test_a_head_that_has_begun_is_served(make_proxy, make_origin):
    proxy = make_proxy(make_origin(ok(b"late")))
    with Client(proxy.address) as client:
        client.send(build()[:20])
        time.sleep(0.1)
        proxy.signal(signal.SIGTERM)
        time.sleep(0.3)
        client.send(build()[20:])
        answer = client.response()
        assert answer.body == b"late" and answer.says_close
        assert proxy.wait_exit(10) == 0


def test_a_slow_reader_gets_all_of_it(make_proxy, make_origin):
    total = 16 << 20

    def behave(conn, _request):
        conn.send(response(200, [("Content-Length", str(total))]))
        for _ in range(total >> 16):
            conn.send(b"x" * 65536)
    proxy = make_proxy(make_origin(behave, keep=False))
    with Client(proxy.address, receive_buffer=16384) as client:
        client.send(build())
        client.head()
        proxy.signal(signal.SIGTERM)
        time.sleep(0.5)
        client.stream.keep = False
        client.stream.take(total, lambda piece: None)
        assert client.wait_closed()
    assert proxy.wait_exit(10) == 0


def test_no_new_connections(make_proxy, make_origin):
    proxy = make_proxy(make_origin(stall()), process={"shutdown_timeout": "2s"})
    with Client(proxy.address) as client:
        client.send(build())
        time.sleep(0.1)
        proxy.signal(signal.SIGTERM)
        time.sleep(0.3)
        with pytest.raises(ConnectionRefusedError):
            Client(proxy.address)
        assert proxy.wait_exit(10) == 0


def test_shutdown_timeout_cuts(make_proxy, make_origin):
    proxy = make_proxy(make_origin(stall()), process={"shutdown_timeout": "1s"})
    with Client(proxy.address) as client:
        client.send(build())
        time.sleep(0.1)
        began = time.monotonic()
        proxy.signal(signal.SIGTERM)
        with pytest.raises(Ended):
            client.response()
        assert proxy.wait_exit(10) == 0
        assert 0.8 < time.monotonic() - began < 5


def test_a_second_signal_ends_at_once(make_proxy, make_origin):
    proxy = make_proxy(make_origin(stall()), process={"shutdown_timeout": "60s"})
    with Client(proxy.address) as client:
        client.send(build())
        time.sleep(0.1)
        proxy.signal(signal.SIGTERM)
        time.sleep(0.3)
        assert proxy.is_running()
        began = time.monotonic()
        proxy.signal(signal.SIGTERM)
        proxy.wait_exit(10)
        assert time.monotonic() - began < 8


@pytest.mark.race
def test_stopping_under_load_loses_no_answer(make_proxy, make_origin):
    """Every request that got a connection is answered whole, or its connection was closed before a byte of answer."""
    proxy = make_proxy(make_origin(ok(b"x" * 20000)))
    torn, served, over = [], [0], threading.Event()

    def load():
        while not over.is_set():
            try:
                client = Client(proxy.address, timeout=10)
            except OSError:
                return
            with client:
                try:
                    while not over.is_set():
                        client.send(build())
                        answer = client.response()
                        served[0] += 1
                        if answer.says_close:
                            break
                except Ended:
                    if client.stream.waiting():
                        torn.append(client.stream.waiting()[:100])
                except OSError:
                    pass
    threads = [threading.Thread(target=load) for _ in range(16)]
    for thread in threads:
        thread.start()
    proxy.wait_for(lambda: served[0] > 100)
    proxy.signal(signal.SIGTERM)
    assert proxy.wait_exit(20) == 0
    over.set()
    for thread in threads:
        thread.join()
    assert not torn


def test_a_listener_that_goes_ends_its_connections(make_proxy, make_origin):
    """By a reload: idle ones and half heads close, requests under way end whole, slow readers too."""
    from support.proxy import free_port
    total = 16 << 20
    origin = make_origin({"/slow": after(1.0, ok(b"slow")), "/big": ok(b"x" * total), "*": ok()}, keep=False)
    other = f"127.0.0.1:{free_port()}"
    proxy = make_proxy(origin, config={"listeners": {"other": {"address": other}}})
    idle, half, busy, silent = (Client(other) for _ in range(4))
    slow = Client(other, receive_buffer=16384)
    assert idle.request().status == 200
    half.send(build()[:20])
    slow.send(build("GET", "/big") + build("GET", "/never"))
    slow.head()
    busy.send(build("GET", "/slow"))
    origin.wait_for(lambda o: any(head.target == "/slow" for head in o.heads))
    config = proxy.config
    del config["listeners"]["other"]
    assert proxy.reload(config).status == 200
    assert idle.wait_closed() and half.wait_closed() and silent.wait_closed()
    assert busy.response().body == b"slow"
    assert busy.wait_closed()
    slow.stream.keep = False
    slow.stream.take(total, lambda piece: None)
    assert slow.wait_closed()
    proxy.wait_for(lambda: proxy.metrics().value("twokey_snapshots_alive") == 1)
    with Client(proxy.address) as client:
        assert client.request().status == 200


def test_signals_that_come_as_it_ends_change_nothing(make_proxy, origin):
    """Whoever asks for a reload while it stops is late, no more: it ends as asked."""
    for number in (signal.SIGHUP, signal.SIGUSR1) * 4:
        proxy = make_proxy(origin)
        proxy.signal(signal.SIGTERM)
        while proxy.process.poll() is None:
            proxy.signal(number)
        assert proxy.wait_exit() == 0
