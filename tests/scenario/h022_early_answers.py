"""An origin that answers before it has read the body: the client gets the answer, the connections end."""
import select

import pytest

from support.client import Client, build
from support.origin import early, ok, response

BIG = 64 << 20


@pytest.mark.parametrize("linger", [True, False])
def test_the_answer_arrives_while_the_client_still_sends(make_proxy, make_origin, linger):
    origin = make_origin({"/up": early(response(413, None, b"too much"), linger=linger), "*": ok()})
    proxy = make_proxy(origin)
    with Client(proxy.address, timeout=20) as client:
        client.send(build("POST", "/up", {"Content-Length": str(BIG)}))
        sent = 0
        client.sock.settimeout(20)
        while sent < BIG and client.try_send(b"x" * 65536):
            sent += 65536
            if select.select([client.sock], [], [], 0)[0]:
                break
        answer = client.response()
        if linger:
            assert (answer.status, answer.body) == (413, b"too much")
        else:  # the origin's own reset may have overtaken its answer
            assert answer.status in (413, 502)
        assert client.wait_closed() and sent < BIG
    with Client(proxy.address) as client:
        assert client.request().status == 200
    assert len(origin.connections) == 2, "a connection with half a body on it is not used again"


def test_an_early_answer_and_then_the_whole_body(make_proxy, make_origin):
    """The origin reads the rest: the client may finish, the answer is whole all the same."""
    from support.origin import before_body

    @before_body
    def behave(conn, request):
        conn.send(response(200, None, b"early"))
        conn.read_body(request)
    origin = make_origin(behave)
    with Client(make_proxy(origin).address) as client:
        client.send(build("POST", headers={"Content-Length": "10"}) + b"hello")
        assert client.response().body == b"early"
        client.try_send(b"world")
        assert client.read_until_close() == b""
