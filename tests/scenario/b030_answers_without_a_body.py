"""HEAD, 204 and 304 have no body, whatever their fields say."""
import pytest

from support.client import Client
from support.origin import ok, raw, response


def test_head_keeps_the_length(make_proxy, make_origin):
    origin = make_origin(ok(b"x" * 1000))
    with Client(make_proxy(origin).address) as client:
        for _ in range(3):
            answer = client.request("HEAD")
            assert answer.header("content-length") == "1000" and answer.body == b""
            assert len(client.request("GET").body) == 1000
    assert len(origin.connections) == 1


@pytest.mark.parametrize("said", [
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\nETag: \"a\"\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n"])
def test_the_next_response_is_not_eaten(make_proxy, make_origin, said):
    origin = make_origin([raw(said), ok(b"next"), raw(said), ok(b"next")])
    with Client(make_proxy(origin).address) as client:
        for _ in range(2):
            answer = client.request()
            assert answer.status in (204, 304) and answer.body == b""
            assert client.request().body == b"next"


def test_head_of_a_chunked_answer(make_proxy, make_origin):
    origin = make_origin([raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), ok(b"next")])
    with Client(make_proxy(origin).address) as client:
        assert client.request("HEAD").status == 200
        assert client.request().body == b"next"


def test_an_empty_body_and_a_length_of_nothing(make_proxy, make_origin):
    origin = make_origin([ok(b""), raw(response(200, [("Transfer-Encoding", "chunked")]) + b"0\r\n\r\n"), ok(b"z")])
    with Client(make_proxy(origin).address) as client:
        assert client.request().header("content-length") == "0"
        assert client.request().body == b""
        assert client.request().body == b"z"


def test_a_204_that_brings_a_body_is_not_kept(make_proxy, make_origin):
    """The bytes behind it belong to nobody: that connection is not used again."""
    origin = make_origin([raw(b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nHTTP"), ok(b"next")])
    with Client(make_proxy(origin).address) as client:
        assert client.request().status in (204, 502)
    proxy_side = make_proxy(origin)
    with Client(proxy_side.address) as client:
        assert client.request().body == b"next"


@pytest.mark.parametrize("field", [b"Content-Length: 4", b"Transfer-Encoding: chunked"])
def test_a_204_that_says_it_has_a_body_is_not_kept(make_proxy, make_origin, field):
    """It would come later, for the next client."""
    origin = make_origin([raw(b"HTTP/1.1 204 No Content\r\n" + field + b"\r\n\r\n"), ok(b"next")])
    with Client(make_proxy(origin).address) as client:
        assert client.request().status == 204
        assert client.request().body == b"next"
    assert len({head.connection for head in origin.heads}) == 2


def test_own_answers_to_head_have_no_body(make_proxy, origin):
    proxy = make_proxy(origin, config={"routes": {"everything": {"path_prefix": "/there"}}})
    with Client(proxy.address) as client:
        answer = client.request("HEAD", "/nowhere")
        assert answer.status == 404 and int(answer.header("content-length")) > 0
        assert client.request("GET", "/there").status == 200
