"""HTTP/2 windows that we give: an upload waits for its server, what is beyond them is an error, what nobody reads is given back."""
import pytest

from support.h2 import ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, GET, POST, H2Client, data, headers, request
from support.origin import CLOSE, before_body, echo, ok

BODY = bytes(i % 251 for i in range(200_000))


def reads_when_told(event):
    """Does not read the body before."""
    @before_body
    def behave(conn, request):
        event.wait(60)
        conn.read_body(request)
        return ok(b"%d" % request.body_bytes)(conn, request)
    return behave


def test_an_upload_waits_for_a_server_that_does_not_read(make_proxy, make_origin, hold):
    """64 KiB a stream ahead of the server, the rest stays with the client."""
    body = bytes(16 << 20)
    origin = make_origin(reads_when_told(hold), keep=False)
    proxy = make_proxy(origin)
    with H2Client(proxy.address, timeout=30) as client:
        client.send(headers(1, [*POST, ("content-length", str(len(body)))], end=False))
        with pytest.raises(TimeoutError):
            client.send_body(1, body, timeout=1.0)
        took = client.sent[1]
        assert client.sync() and took < len(body)
        before = proxy.rss()
        hold.set()
        client.sent[1] = took
        client.send_body(1, body[took:])
        answer = client.answer(1, 30)
        assert answer.body == b"%d" % len(body)
        assert proxy.rss() < before + (24 << 20)


def test_an_upload_that_waits_does_not_hinder_the_others(make_proxy, make_origin, hold):
    origin = make_origin({"/slow": reads_when_told(hold), "*": echo()}, keep=False)
    proxy = make_proxy(origin)
    with H2Client(proxy.address, timeout=30) as client:
        client.send(headers(1, request("POST", "/slow"), end=False))
        with pytest.raises(TimeoutError):
            client.send_body(1, bytes(16 << 20), timeout=1.0)
        client.send(headers(3, GET))
        assert client.answer(3).status == 200
        client.send(headers(5, POST, end=False))
        client.send_body(5, bytes(300_000))
        assert client.answer(5).body_bytes == 0 and client.answer(5).status == 200


def test_data_beyond_the_window_is_an_error(make_proxy, make_origin, hold):
    proxy = make_proxy(make_origin(reads_when_told(hold), keep=False))
    with H2Client(proxy.address) as client:
        client.send(headers(1, POST, end=False))
        client.pour(data(1, bytes(16384)) * 1500)  # more than any socket takes
        answer = client.stream(1)
        client.pump(lambda: answer.is_over or client.goaways)
        assert answer.reset == FLOW_CONTROL_ERROR or client.goaways[-1][1] == FLOW_CONTROL_ERROR


def test_padding_beyond_the_window_is_an_error(make_proxy, make_origin, hold):
    """Padding counts, and nobody consumes it: it is given back at once, or it is an error, but nothing is kept."""
    proxy = make_proxy(make_origin(reads_when_told(hold), keep=False))
    with H2Client(proxy.address) as client:
        client.send(headers(1, POST, end=False))
        before = proxy.rss()
        client.pour(data(1, b"", pad=255) * 20000)
        answer = client.stream(1)
        client.pump(lambda: answer.is_over or client.goaways or client.sync() or client.has_ended)
        assert client.goaways or answer.reset == FLOW_CONTROL_ERROR or client.given.get(1, 0) > 4_000_000
        assert not client.goaways or client.goaways[-1][1] in (FLOW_CONTROL_ERROR, ENHANCE_YOUR_CALM)
        assert proxy.rss() < before + (8 << 20)


def test_padding_is_given_back(make_proxy, make_origin):
    """2 MiB, nearly all of it padding: more than either window."""
    proxy = make_proxy(make_origin(echo()))
    with H2Client(proxy.address) as client:
        client.wait_settings()
        client.send(headers(1, POST, end=False))
        for number in range(8000):
            client.pump(lambda: client.room(1) >= 258 or client.stream(1).is_over)
            client.send(data(1, b"%d" % (number % 10), end=number == 7999, pad=255))
        answer = client.answer(1)
        assert answer.body == b"".join(b"%d" % (number % 10) for number in range(8000))


@pytest.mark.parametrize("how", ["nobody's path", "too large", "answered early", "reset by the client"])
def test_what_nobody_reads_is_given_back(make_proxy, make_origin, how):
    """Forty bodies of a stream's window each: without that the connection's window would be used up."""
    @before_body
    def early(conn, request):
        conn.send(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        conn.half_close()
        conn.wait_peer(10)
        return CLOSE
    origin = make_origin({"/early": early, "*": echo()})
    proxy = make_proxy(origin, listener={"limits": {"body": "300KiB"}}, route={"hosts": ["test.example"]})
    with H2Client(proxy.address) as client:
        client.wait_settings()
        for number in range(40):
            stream = 1 + 2 * number
            fields = {"nobody's path": request("POST", authority="other.example"),
                      "too large": [*POST, ("content-length", "999999")],
                      "answered early": request("POST", "/early"), "reset by the client": POST}[how]
            client.send(headers(stream, fields, end=False))
            client.send_body(stream, bytes(65535), end=how != "reset by the client")
            if how == "reset by the client":
                client.send(b"\0\0\4\3\0" + stream.to_bytes(4, "big") + b"\0\0\0\x08")
            else:
                assert client.answer(stream).status in (403, 404, 413, None)
        client.send(headers(999, POST, end=False))
        client.send_body(999, BODY)
        assert client.answer(999).body == BODY
