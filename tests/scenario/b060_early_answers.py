"""A server answers before it has the body: the client gets the whole answer, then FIN."""
import socket
import threading
import time

import pytest

from support.client import Client, build
from support.origin import CLOSE, before_body, early, response

BIG = b"the answer " * 20000  # more than one read
PIECE = b"u" * 65536


def pour(client, count, stopped):
    """Send on until the other side has had enough."""
    for _ in range(count):
        if not client.try_send(PIECE):
            break
    stopped.set()


@pytest.mark.parametrize("body, linger", [(b"too large", True), (BIG, True), (b"too large" * 100, False)],
                         ids=["short", "long", "short-and-reset"])
def test_the_answer_arrives_whole(make_proxy, make_origin, body, linger):
    """With linger the server reads on for a while; without, its close becomes a reset."""
    origin = make_origin(early(response(413, [("Connection", "close")] + [("Content-Length", str(len(body)))], body),
                               linger=linger))
    proxy = make_proxy(origin)
    for _ in range(5):
        with Client(proxy.address) as client:
            client.send(build("POST", "/", [("Content-Length", str(1 << 30))]))
            stopped = threading.Event()
            threading.Thread(target=pour, args=(client, 2000, stopped), daemon=True).start()
            answer = client.response()
            assert (answer.status, answer.body) == (413, body)
            assert answer.says_close
            stopped.wait(10)


def test_a_client_that_waits_gets_a_fin(make_proxy, make_origin):
    origin = make_origin(early(response(403, None, b"no"), then=None))
    with Client(make_proxy(origin).address) as client:
        client.send(build("POST", "/", [("Content-Length", "100000")]) + b"x" * 1000)
        answer = client.response()
        assert (answer.status, answer.body, answer.says_close) == (403, b"no", True)
        assert client.sock.recv(1) == b""  # FIN, not a reset
        client.send(b"x" * 1000)  # and what still comes is taken
        time.sleep(0.05)
        client.send(b"x" * 1000)


def test_our_own_early_answer_survives_a_client_that_sends_on(make_proxy, origin):
    proxy = make_proxy(origin, listener={"limits": {"body": "1KiB"}})
    for _ in range(5):
        with Client(proxy.address) as client:
            client.send(build("POST", "/", [("Content-Length", str(1 << 24))]))
            stopped = threading.Event()
            threading.Thread(target=pour, args=(client, 100, stopped), daemon=True).start()
            assert client.response().status == 413
            stopped.wait(10)


def test_the_upload_goes_on_while_the_answer_comes(make_proxy, make_origin):
    """A server that answers as it reads: nothing is cut off, both ends are reached."""
    @before_body
    def behave(conn, request):
        conn.send(response(200, [("Transfer-Encoding", "chunked")]))
        request.is_read = True
        total = [0]

        def echo(piece):
            total[0] += len(piece)
            conn.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        conn.stream.take(1_000_000, echo)
        conn.send(b"0\r\n\r\n")
    with Client(make_proxy(make_origin(behave)).address) as client:
        threading.Thread(target=lambda: client.send(build("POST", "/", [("Content-Length", "1000000")]) + b"e" * 1_000_000),
                         daemon=True).start()
        assert client.response().body == b"e" * 1_000_000


def test_a_kept_connection_is_not_poisoned(make_proxy, make_origin):
    """The rest of a body after an early answer is never the next request's beginning."""
    origin = make_origin({"/early": early(response(200, None, b"early"), then=CLOSE)})
    proxy = make_proxy(origin)
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    with Client(proxy.address) as client:
        client.send(build("POST", "/early", [("Content-Length", str(len(smuggled) + 1000))]))
        assert client.response().body == b"early"
        client.try_send(smuggled + b"x" * 1000)
        client.read_until_close()
    with Client(proxy.address) as client:
        assert client.request(target="/after").status == 200
    assert "/smuggled" not in [head.target for head in origin.heads]


def test_an_answer_to_a_body_that_is_dropped(make_proxy, make_origin):
    """A short rest is read and dropped, and the connection serves on."""
    proxy = make_proxy(make_origin(), config={"routes": {"no": {"path": "/no", "priority": 1,
                                                                "respond": {"status": 403, "body": "no\n"}}}})
    with Client(proxy.address) as client:
        client.send(build("POST", "/no", [("Content-Length", "1000")]) + b"x" * 500)
        answer = client.response()
        assert answer.status == 403 and not answer.says_close
        client.send(b"x" * 500)
        assert client.request().status == 200


def test_shutdown_of_the_client_after_its_upload(make_proxy, make_origin):
    """A client that has sent all and closed its writing side still gets its answer."""
    from support.origin import after, echo
    with Client(make_proxy(make_origin(after(0.2, echo()))).address) as client:
        client.send(build("POST", "/", None, b"all of it"))
        client.sock.shutdown(socket.SHUT_WR)
        assert client.response().body == b"all of it"
        assert client.wait_closed()
