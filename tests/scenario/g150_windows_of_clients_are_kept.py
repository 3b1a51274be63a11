"""HTTP/2 windows of a client (RFC 9113 §5.2, §6.9): nothing beyond what he gave, and everything as he gives more."""
from support.h2 import DEFAULT_WINDOW, GET, INITIAL_WINDOW_SIZE, H2Client, headers, settings, window
from support.origin import CLOSE, ok

BODY = bytes(i % 251 for i in range(200_000))


def test_no_window_no_body_and_then_byte_by_byte(make_proxy, make_origin):
    proxy = make_proxy(make_origin(ok(b"hello")))
    with H2Client(proxy.address, first=[(INITIAL_WINDOW_SIZE, 0)]) as client:
        client.opens_windows = False
        client.send(headers(1, GET))
        answer = client.head(1)
        assert client.sync() and answer.status == 200 and answer.body == b"" and not answer.is_over
        for count in range(1, 6):
            client.send(window(1, 1))
            client.pump(lambda n=count: answer.body_bytes >= n)
            assert client.sync() and answer.body == b"hello"[:count]
        assert client.answer(1).has_ended


def test_an_empty_body_needs_no_window(make_proxy, make_origin):
    proxy = make_proxy(make_origin(ok(b"")))
    with H2Client(proxy.address, first=[(INITIAL_WINDOW_SIZE, 0)]) as client:
        assert client.request(1).status == 200


def test_the_connections_window_is_one_for_all_streams(make_proxy, make_origin):
    proxy = make_proxy(make_origin(ok(BODY)))
    with H2Client(proxy.address, first=[(INITIAL_WINDOW_SIZE, 1 << 20)]) as client:
        client.opens_windows = False
        client.send(headers(1, GET) + headers(3, GET))
        both = [client.stream(1), client.stream(3)]
        client.pump(lambda: sum(answer.body_bytes for answer in both) >= DEFAULT_WINDOW)
        assert client.sync() and sum(answer.body_bytes for answer in both) == DEFAULT_WINDOW
        client.send(window(0, 2 * len(BODY)))
        assert client.answer(1).body == BODY and client.answer(3).body == BODY


def test_a_stream_without_window_does_not_hinder_the_others(make_proxy, make_origin):
    proxy = make_proxy(make_origin(ok(BODY)))
    with H2Client(proxy.address) as client:
        client.opens_windows = False
        client.send(window(0, 1 << 24) + headers(1, GET))
        stuck = client.stream(1)
        client.pump(lambda: stuck.body_bytes >= DEFAULT_WINDOW)
        for stream in range(3, 23, 2):
            client.send(headers(stream, GET) + window(stream, 1 << 20))
            assert client.answer(stream).body == BODY
        assert stuck.body_bytes == DEFAULT_WINDOW
        client.send(window(1, 1 << 20))
        assert client.answer(1).body == BODY


def test_a_window_that_becomes_negative(make_proxy, make_origin):
    proxy = make_proxy(make_origin(ok(BODY)))
    with H2Client(proxy.address) as client:
        client.opens_windows = False
        client.send(window(0, 1 << 24) + headers(1, GET))
        answer = client.stream(1)
        client.pump(lambda: answer.body_bytes >= DEFAULT_WINDOW)
        client.send(settings((INITIAL_WINDOW_SIZE, 100)))
        client.pump(lambda: client.settings_acks == 2)
        client.send(window(1, DEFAULT_WINDOW - 100))  # 0 again
        assert client.sync() and answer.body_bytes == DEFAULT_WINDOW
        client.send(window(1, 10))
        client.pump(lambda: answer.body_bytes > DEFAULT_WINDOW)
        assert client.sync() and answer.body_bytes == DEFAULT_WINDOW + 10
        client.send(settings((INITIAL_WINDOW_SIZE, 1 << 20)))
        assert client.answer(1).body == BODY


def test_a_window_that_is_reduced_before_anything_was_sent(make_proxy, make_origin):
    proxy = make_proxy(make_origin(ok(b"hello")))
    with H2Client(proxy.address) as client:
        client.opens_windows = False
        client.send(settings((INITIAL_WINDOW_SIZE, 3)) + headers(1, GET) + settings((INITIAL_WINDOW_SIZE, 2)))
        answer = client.head(1)
        client.pump(lambda: answer.body_bytes >= 2)
        assert client.sync() and answer.body == b"he"
        client.send(window(1, 3))
        assert client.answer(1).body == b"hello"


def test_a_download_waits_for_a_client_that_does_not_read(make_proxy, make_origin):
    """What the server sends stays there: a stream keeps little in the proxy."""
    size = 24 << 20

    def much(conn, request):
        conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        piece = bytes(1 << 16)
        try:
            for _ in range(size // len(piece)):
                conn.send(piece)
        except OSError:
            return CLOSE
        return None
    proxy = make_proxy(make_origin(much, keep=False))
    with H2Client(proxy.address, keep=False, timeout=40) as client:
        client.opens_windows = False
        before = proxy.rss()
        client.send(b"".join(headers(stream, GET) for stream in range(1, 41, 2)))
        for stream in range(1, 41, 2):
            client.head(stream)
        client.pump(lambda: sum(client.stream(stream).body_bytes for stream in range(1, 41, 2)) >= DEFAULT_WINDOW)
        assert client.sync()
        assert proxy.rss() < before + (16 << 20)
        client.opens_windows = True
        client.send(window(0, 1 << 24) + window(1, 1 << 26))
        assert client.answer(1, 40).body_bytes == size
