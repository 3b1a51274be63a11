"""Pipelined requests: answered in order, read ahead only so far, the end after the last."""
import threading
import time

from support.client import Client, build
from support.origin import after, echo, ok, response


def by_target():
    def behave(conn, request):
        conn.send(response(200, [("X-For", request.target)], request.target.encode() + b":" + request.body))
    return behave


def test_many_at_once_in_order(make_proxy, make_origin):
    origin = make_origin(by_target())
    with Client(make_proxy(origin).address) as client:
        client.send(b"".join(build("GET", f"/{i}") for i in range(300)))
        assert [client.response().header("x-for") for _ in range(300)] == [f"/{i}" for i in range(300)]


def test_bodies_between(make_proxy, make_origin):
    origin = make_origin(by_target())
    with Client(make_proxy(origin).address) as client:
        for i in range(60):
            if i % 3 == 2:
                client.send(build("POST", f"/{i}", [("Transfer-Encoding", "chunked")]) + b"3\r\nabc\r\n0\r\n\r\n")
            else:
                client.send(build("POST", f"/{i}", None, b"b" * (i * 17)) if i % 3 else build("GET", f"/{i}"))
        for i in range(60):
            want = b"abc" if i % 3 == 2 else b"b" * (i * 17) if i % 3 else b""
            assert client.response().body == b"/%d:" % i + want


def test_own_answers_between(make_proxy, make_origin):
    """Answers that need no server keep their place."""
    proxy = make_proxy(make_origin(after(0.02, by_target())),
                       config={"routes": {"own": {"path": "/own", "priority": 1, "respond": {"status": 200, "body": "own"}}}})
    with Client(proxy.address) as client:
        client.send(b"".join(build("GET", "/own") + build("GET", f"/{i}") + build("POST", "/own", None, b"drop me")
                             for i in range(20)))
        for i in range(20):
            assert client.response().body == b"own"
            assert client.response().header("x-for") == f"/{i}"
            assert client.response().body == b"own"


def test_thousands_of_own_answers_in_one_go(make_proxy, origin):
    proxy = make_proxy(origin, config={"routes": {"own": {"path": "/own", "priority": 1,
                                                          "respond": {"status": 200, "body": "own" * 300}}}},
                       listener={"keepalive_requests": "unlimited"})
    with Client(proxy.address) as client:
        def pour():
            client.send(build("GET", "/own") * 5000)
        pourer = threading.Thread(target=pour, daemon=True)
        pourer.start()
        for _ in range(5000):
            assert len(client.response().body) == 900
        pourer.join()


def test_a_client_that_asks_and_does_not_read_is_bounded(make_proxy, make_origin):
    origin = make_origin(ok(b"x" * 10000))
    proxy = make_proxy(origin, listener={"keepalive_requests": "unlimited"})
    before = proxy.rss()
    with Client(proxy.address, timeout=2, receive_buffer=8192) as client:
        try:
            for _ in range(400):
                client.send(build("GET", "/") * 1000)
        except TimeoutError:
            pass
        else:
            raise AssertionError("it was read without end")
        count = -1
        while count != len(origin.heads):
            count = len(origin.heads)
            time.sleep(0.3)
        assert count < 5000
        assert proxy.rss() - before < 32 << 20


def test_one_at_a_time_reaches_the_server(make_proxy, make_origin):
    origin = make_origin(after(0.3, ok()))
    with Client(make_proxy(origin).address) as client:
        client.send(build("GET", "/1") + build("GET", "/2"))
        origin.wait_for(lambda o: o.heads)
        origin.settle()
        assert len(origin.heads) == 1
        assert client.response().status == client.response().status == 200


def test_fin_after_the_last(make_proxy, make_origin):
    origin = make_origin(after(0.05, by_target()))
    with Client(make_proxy(origin).address) as client:
        client.send(b"".join(build("GET", f"/{i}") for i in range(5)))
        client.half_close()
        assert [client.response().header("x-for") for _ in range(5)] == [f"/{i}" for i in range(5)]
        assert client.wait_closed()


def test_nothing_after_one_that_closes(make_proxy, make_origin):
    origin = make_origin(by_target())
    with Client(make_proxy(origin).address) as client:
        client.send(build("GET", "/1") + build("GET", "/2", {"Connection": "close"}) + build("GET", "/3"))
        assert client.response().header("x-for") == "/1"
        last = client.response()
        assert last.header("x-for") == "/2" and last.says_close
        assert client.wait_closed()
    assert [head.target for head in origin.heads] == ["/1", "/2"]


def test_a_malformed_one_behind_good_ones(make_proxy, make_origin):
    origin = make_origin(after(0.05, by_target()))
    with Client(make_proxy(origin).address) as client:
        client.send(build("GET", "/1") + build("GET", "/2") + b"nonsense\r\n\r\n" + build("GET", "/3"))
        assert [client.response().status for _ in range(3)] == [200, 200, 400]
        assert client.wait_closed()
    assert [head.target for head in origin.heads] == ["/1", "/2"]


def test_a_chunked_upload_behind_a_slow_answer(make_proxy, make_origin):
    origin = make_origin({"/slow": after(0.3, ok(b"slow")), "*": echo()})
    with Client(make_proxy(origin).address) as client:
        client.send(build("GET", "/slow") + build("POST", "/", [("Transfer-Encoding", "chunked")]) + b"5\r\nhello\r\n0\r")
        time.sleep(0.5)
        client.send(b"\n\r\n")
        assert client.response().body == b"slow"
        assert client.response().body == b"hello"
