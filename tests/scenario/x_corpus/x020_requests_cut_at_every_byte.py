"""However a request is cut into segments, the origin sees the same."""
import pytest

from support import corpus
from support.corpus import HOST, Want, forward, get_with, post_chunks, post_with, refuse
from support.origin import Origin, ok
from support.proxy import simple_proxy

CASES = [
    forward("a GET", get_with(b"X: a b\r\nY:\r\n", b"/a/../b?c=d"), Want(target="/b?c=d", headers={"x": "a b", "y": ""})),
    forward("a body", post_with(b"Content-Length: 5\r\n", b"hello"), Want("POST", body=b"hello")),
    forward("chunks", post_chunks(b'2;a="b"\r\nhi\r\n00a\r\n0123456789\r\n0\r\nX-Sum: 9\r\n\r\n', b"Trailer: X-Sum\r\n"),
            Want("POST", body=b"hi0123456789", trailers=[("x-sum", "9")])),
    forward("two requests", get_with(target=b"/1") + b"\r\n" + get_with(target=b"/2"), Want(target="/1"), Want(target="/2")),
    forward("absolute-form", b"GET http://other.example/x HTTP/1.1\r\n" + HOST + b"\r\n", Want(target="/x", headers={"host": "other.example"})),
    refuse("both lengths", post_with(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")),
    refuse("folded", get_with(b"X: a\r\n b\r\n")),
]
PARAMS = [pytest.param(case, id=case.name) for case in CASES]


@pytest.fixture(scope="module")
def bench():
    origin = Origin(ok())
    proxy = simple_proxy(origin, process={"workers": 1}).start()
    yield proxy, origin
    origin.stop()
    try:
        proxy.stop()
    finally:
        proxy.discard()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("case", PARAMS)
def test_in_two_pieces(bench, case):
    for at in range(1, len(case.raw)):
        fault = corpus.run(case, *bench, pieces=[case.raw[:at], case.raw[at:]], gap=0.001)
        assert fault is None, f"cut at {at}: {fault}"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("case", PARAMS)
def test_a_byte_at_a_time(bench, case):
    fault = corpus.run(case, *bench, pieces=[case.raw[i:i + 1] for i in range(len(case.raw))], gap=0.001)
    assert fault is None, fault


def test_many_in_one_segment(bench):
    proxy, origin = bench
    forwarded = [case for case in CASES if case.outcomes[0].kind == "forward"]
    raw = b"".join(case.raw for case in forwarded)
    wants = [want for case in forwarded for want in case.outcomes[0].requests]
    assert corpus.run(corpus.forward("all", raw, *wants), proxy, origin) is None
