"""The keep-alive race: the origin closes an idle connection just as the next request goes out on it."""
import threading

from support.client import Client
from support.origin import CLOSE, ok, response


def racing():
    """Serves one request on each connection, takes the head of the next, and closes without an answer."""
    def behave(conn, request):
        if conn.served > 0:
            return CLOSE
        conn.send(response(200, None, b"%d" % conn.number))
    return behave


def test_a_get_is_tried_again_on_a_fresh_connection(make_proxy, make_origin):
    origin = make_origin(racing())
    proxy = make_proxy(origin, process={"workers": 1})
    with Client(proxy.address) as client:
        for _ in range(10):
            assert client.request().status == 200
    assert proxy.server("s1")["oper"]["eligible"], "a stale connection blames nobody"


def test_a_post_that_left_our_socket_is_not_repeated(make_proxy, make_origin):
    origin = make_origin(racing())
    proxy = make_proxy(origin, process={"workers": 1})
    with Client(proxy.address) as client:
        assert client.request("GET").status == 200
        answer = client.request("POST", "/pay", body=b"1 EUR")
        origin.settle()
        paid = [head for head in origin.heads if head.target == "/pay"]
        assert len(paid) == 1, "sent once, whatever became of it"
        assert answer.status == (200 if paid[0].connection > 0 else 502)


def test_an_origin_that_closes_after_every_answer(make_proxy, make_origin):
    from support.origin import then_close
    origin = make_origin(then_close(ok()))
    proxy = make_proxy(origin)

    def many():
        with Client(proxy.address) as client:
            for _ in range(100):
                assert client.request().status == 200
    faults = []

    def guarded():
        try:
            many()
        except BaseException as fault:
            faults.append(fault)
    threads = [threading.Thread(target=guarded) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults and len(origin.requests) == 400
