"""The limits of a listener: request line, fields, head and body; one above is refused, what is within passes."""
import pytest

from support.client import Client, Ended, build, get


@pytest.fixture
def proxy(make_proxy, origin):
    return make_proxy(origin, listener={"limits": {
        "request_line": "1KiB", "header_bytes": "4KiB", "header_count": 10, "body": "100KiB"}})


def test_request_line(proxy, origin):
    assert get(proxy.address, "/" + "a" * 900).status == 200
    assert get(proxy.address, "/" + "a" * 1100).status == 414


def test_number_of_fields(proxy, origin):
    assert get(proxy.address, headers=[(f"X{i}", "1") for i in range(9)]).status == 200
    assert get(proxy.address, headers=[(f"X{i}", "1") for i in range(10)]).status == 431


def test_bytes_of_the_head(proxy, origin):
    assert get(proxy.address, headers={"X": "a" * 3000}).status == 200
    assert get(proxy.address, headers={"X": "a" * 5000}).status == 431


def test_a_body_of_known_length(proxy, origin):
    with Client(proxy.address) as client:
        assert client.request("POST", body=b"x" * 102400).status == 200
    with Client(proxy.address) as client:
        client.send(build("POST", "/over", headers={"Content-Length": "102401"}))
        answer = client.response()
        assert answer.status == 413
        client.try_send(b"x" * 102401)  # dropped, or the connection is closed: never passed on, never read as a request
        if answer.says_close:
            assert client.wait_closed()
        else:
            assert client.request(target="/next").status == 200
    assert "/over" not in [head.target for head in origin.heads]


def test_a_body_in_chunks(proxy, origin):
    piece = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    head = build("POST", headers={"Transfer-Encoding": "chunked"})
    with Client(proxy.address) as client:
        client.send(head + piece * 25 + b"0\r\n\r\n")
        assert client.response().status == 200
    with Client(proxy.address) as client:
        client.try_send(head + piece * 26 + b"0\r\n\r\n")
        try:
            assert client.response().status == 413
        except Ended:
            pass
        assert client.wait_closed()
    origin.settle()
    assert [request.body_bytes for request in origin.requests] == [102400]
