"""Servers that reset, stall, speak nonsense or too much: the client is told, the next is served."""
import os
import signal
import time

import pytest

from support.client import Client, Ended, build, get
from support.origin import (CLOSE, before_body, close_after, close_now, greeting, ok, raw, reset, reset_before_body,
                            response, stall, then_close)

NO_RETRY = {"retry": {"attempts": 0}, "ejection": {"consecutive_failures": 0}}


@pytest.mark.parametrize("behaviour", [close_now(), reset(), reset_before_body(), raw(b"HTTP/1.1 200 OK\r\nX: ", CLOSE)],
                         ids=["closes", "resets", "resets-early", "half-a-head"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_answer_is_502(make_proxy, make_origin, behaviour, method):
    proxy = make_proxy(make_origin(behaviour), pool=NO_RETRY)
    with Client(proxy.address) as client:
        for _ in range(3):
            answer = client.request(method, body=b"abc" if method == "POST" else None)
            assert answer.status == 502
            if answer.says_close:
                break
    assert proxy.access_log(1)[0]["failure"] == "server-closed"


@pytest.mark.parametrize("said", [
    b"nonsense\r\n\r\n", b"HTTP/1.1 abc OK\r\n\r\n", b"\x00\x01\x02\x03" * 100, b"SSH-2.0-OpenSSH_9.2\r\n",
    b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", b"HTTP/1.1 200 OK\r\nA B: 1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70000 + b"\r\n\r\n", b"HTTP/1.1 600 Odd\r\n\r\n", b"HTTP/1.1 099 Odd\r\n\r\n"])
def test_nonsense_is_502(make_proxy, make_origin, said):
    origin = make_origin(raw(said))
    proxy = make_proxy(origin, pool=NO_RETRY)
    with Client(proxy.address) as client:
        assert client.request().status == 502
        assert client.request().status == 502
    assert len(origin.connections) == 2  # never used again


@pytest.mark.parametrize("said", [
    response(200, [("Content-Length", "10")]) + b"12345",
    response(200, [("Transfer-Encoding", "chunked")]) + b"5\r\n12345\r\n",
    response(200, [("Transfer-Encoding", "chunked")]) + b"5\r\n123",
    response(200, [("Transfer-Encoding", "chunked")]) + b"5\r\n12345\r\n0\r\n"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_cut_body_never_looks_whole(make_proxy, make_origin, said, version):
    proxy = make_proxy(make_origin(raw(said, CLOSE)), pool=NO_RETRY)
    with Client(proxy.address) as client:
        client.send(build(version=version))
        with pytest.raises(Ended):
            client.response()
    assert proxy.access_log(1)[0]["failure"] == "response-broken"


@pytest.mark.parametrize("said", [
    response(200, [("Transfer-Encoding", "chunked")]) + b"5\r\n12345\r\nzz\r\n",
    response(200, [("Transfer-Encoding", "chunked")]) + b"5\r\n12345XX0\r\n\r\n",
    response(200, [("Transfer-Encoding", "chunked")]) + b"fffffffffffffffff\r\n",
    response(200, [("Transfer-Encoding", "chunked")]) + b"1\r\na\r\n0\r\nBad Trailer: 1\r\n\r\n"])
def test_malformed_chunks_break_the_answer(make_proxy, make_origin, said):
    proxy = make_proxy(make_origin(raw(said)), pool=NO_RETRY)
    with Client(proxy.address) as client:
        client.send(build())
        with pytest.raises(Ended):
            client.response()


def test_bytes_too_many_are_never_an_answer(make_proxy, make_origin):
    extra = response(200, None, b"poison")
    origin = make_origin(raw(response(200, None, b"good") + extra))
    proxy = make_proxy(origin, process={"workers": 1})
    with Client(proxy.address) as client:
        for _ in range(20):
            assert client.request().body == b"good"
    assert len(origin.connections) == 20


def test_bytes_on_an_idle_connection_end_it(make_proxy, make_origin):
    def behave(conn, request):
        conn.send(response(200, None, b"good"))
        time.sleep(0.05)
        conn.send(response(200, None, b"poison"))
    origin = make_origin(behave)
    proxy = make_proxy(origin, process={"workers": 1})
    with Client(proxy.address) as client:
        for _ in range(3):
            assert client.request().body == b"good"
            origin.wait_for(lambda o: not o.open_connections())
    assert len(origin.connections) == 3


def state(proxy, task):
    with open(f"/proc/{proxy.pid}/task/{task}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


def test_bytes_that_came_just_before_the_reuse_are_not_its_answer(make_proxy, make_origin):
    """The next request and the stray bytes are both there when the proxy wakes up, the request first."""
    origin = make_origin(ok(b"good"))
    proxy = make_proxy(origin, process={"workers": 1})
    with Client(proxy.address) as client:
        for number in range(5):
            assert client.request().body == b"good"
            time.sleep(0.05)
            proxy.signal(signal.SIGSTOP)
            proxy.wait_for(lambda: all(state(proxy, task) == "T" for task in os.listdir(f"/proc/{proxy.pid}/task")))
            client.send(build())
            time.sleep(0.05)
            origin.connections[-1].send(response(200, None, b"poison"))
            time.sleep(0.05)
            proxy.signal(signal.SIGCONT)
            assert client.response().body == b"good"
            assert len(origin.connections) == number + 2
            assert client.request().body == b"good"


def test_a_greeting_before_the_request(make_proxy, make_origin):
    """Bytes before we asked are no answer to what we ask."""
    proxy = make_proxy(make_origin(greeting(b"220 mail.example ESMTP\r\n")), pool=NO_RETRY)
    assert get(proxy.address).status == 502


def test_a_silent_server_is_504(make_proxy, make_origin):
    origin = make_origin(stall())
    proxy = make_proxy(origin, pool={"timeouts": {"response": "300ms"}, **NO_RETRY})
    began = time.monotonic()
    assert get(proxy.address).status == 504
    assert 0.25 < time.monotonic() - began < 8
    origin.wait_for(lambda o: not o.open_connections())


def test_a_server_that_stops_in_the_middle(make_proxy, make_origin):
    proxy = make_proxy(make_origin(stall(response(200, [("Content-Length", "10")]) + b"12345")),
                       pool={"timeouts": {"response": "300ms"}, **NO_RETRY})
    with Client(proxy.address) as client:
        client.send(build())
        with pytest.raises(Ended):
            client.response()


def test_a_dripping_server_is_waited_for(make_proxy, make_origin):
    """The timeout is between bytes, not over all."""
    def behave(conn, _request):
        conn.send_slowly(response(200, None, b"0123456789"), 0.03)
    proxy = make_proxy(make_origin(behave), pool={"timeouts": {"response": "1500ms"}, **NO_RETRY})
    assert get(proxy.address).body == b"0123456789"


def test_a_server_that_reads_nothing(make_proxy, make_origin):
    @before_body
    def behave(conn, _request):
        time.sleep(6)
        return CLOSE
    proxy = make_proxy(make_origin(behave), pool={"timeouts": {"response": "500ms"}, **NO_RETRY})
    with Client(proxy.address, timeout=5) as client:
        client.send(build("POST", "/", [("Content-Length", str(1 << 30))]))
        import threading
        threading.Thread(target=lambda: [client.try_send(b"x" * 65536) for _ in range(1000)], daemon=True).start()
        assert client.response().status == 504


def test_connections_that_close_unannounced(make_proxy, make_origin):
    """The server closes each connection right after its answer; no GET may fail for it."""
    origin = make_origin(then_close(ok(b"good")))
    proxy = make_proxy(origin)
    with Client(proxy.address) as client:
        for _ in range(200):
            assert client.request().body == b"good"


def test_a_response_to_a_request_not_sent_yet_is_not_taken(make_proxy, make_origin):
    """An answer that comes before the head was read whole is still that request's; two are one too many."""
    proxy = make_proxy(make_origin(raw(response(200, None, b"one") + response(200, None, b"two"))), process={"workers": 1})
    with Client(proxy.address) as client:
        for _ in range(5):
            assert client.request().body == b"one"


def test_the_proxy_lives_through_it_all(make_proxy, make_origin):
    turns = [close_now(), reset(), raw(b"\x00" * 100), close_after(30, response(200, None, b"x" * 100)), reset_before_body(),
             ok(b"end")]
    proxy = make_proxy(make_origin(turns), pool=NO_RETRY)
    for _ in range(5):
        try:
            get(proxy.address)
        except Ended:
            pass
    assert get(proxy.address).body == b"end"
