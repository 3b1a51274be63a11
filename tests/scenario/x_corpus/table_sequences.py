"""Several requests on one connection: what stands behind a refusal is never read."""
from support.corpus import EVIL, HOST, Want, cut, forward, get_with, post_chunks, post_with, refuse

CL5 = b"Content-Length: 5\r\n"
ONE = get_with(target=b"/1")
TWO = get_with(target=b"/2")
BAD = b"GET /bad HTTP/1.1\r\n\r\n"

CASES = [
    forward("two at once", ONE + TWO, Want(target="/1"), Want(target="/2")),
    forward("thirty at once", b"".join(get_with(target=b"/%d" % i) for i in range(30)), *[Want(target=f"/{i}") for i in range(30)]),
    forward("a body, then another request", post_with(CL5, b"hello") + TWO, Want("POST", body=b"hello"), Want(target="/2")),
    forward("chunks, then another request", post_chunks(b"5\r\nhello\r\n0\r\n\r\n") + TWO, Want("POST", body=b"hello"), Want(target="/2")),
    forward("chunks with trailers, then another request", post_chunks(b"5\r\nhello\r\n0\r\nX: 1\r\n\r\n") + TWO,
            Want("POST", body=b"hello"), Want(target="/2")),
    forward("bodies of all kinds in a row",
            post_with(CL5, b"hello") + post_chunks(b"1\r\na\r\n0\r\n\r\n") + ONE + post_with(b"Content-Length: 0\r\n") + TWO,
            Want("POST", body=b"hello"), Want("POST", body=b"a"), Want(target="/1"), Want("POST"), Want(target="/2")),
    forward("good, then bad", ONE + BAD + EVIL, Want(target="/1"), then=(400,)),
    forward("good, good, then bad", ONE + TWO + BAD + EVIL, Want(target="/1"), Want(target="/2"), then=(400,)),
    forward("good, then bytes that are none", ONE + b"\x00\x01\x02\r\n\r\n" + EVIL, Want(target="/1"), then=(400, 501)),
    forward("a body, then more than its length", post_with(CL5, b"hello world\r\n\r\n") + EVIL, Want("POST", body=b"hello"), then=(400, 501)),
    forward("good, then both lengths", ONE + post_with(CL5 + b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n") + EVIL,
            Want(target="/1"), then=(400,)),
    forward("close, then another", get_with(b"Connection: close\r\n", b"/1") + TWO, Want(target="/1"), closes=True),
    forward("HTTP/1.0, then another", b"GET /1 HTTP/1.0\r\n" + HOST + b"\r\n" + TWO, Want(target="/1"), closes=True),
    forward("HTTP/1.0 kept alive, then another", b"GET /1 HTTP/1.0\r\n" + HOST + b"Connection: keep-alive\r\n\r\n" + TWO,
            Want(target="/1"), Want(target="/2")),
    forward("HTTP/1.0 with a length, then another",
            b"POST /1 HTTP/1.0\r\n" + HOST + b"Connection: keep-alive\r\nContent-Length: 2\r\n\r\nhi" + TWO,
            Want("POST", "/1", body=b"hi"), Want(target="/2")),
    forward("HEAD, then GET", b"HEAD /1 HTTP/1.1\r\n" + HOST + b"\r\n" + TWO, Want("HEAD", "/1"), Want(target="/2")),
    forward("OPTIONS *, then GET", b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n" + TWO, Want("OPTIONS", "*"), Want(target="/2")),
    refuse("bad, then good", BAD + EVIL),
    refuse("bad with a length, its body a request", b"POST /bad HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(EVIL) + EVIL),
    refuse("bad in chunks, its body a request", b"POST /bad HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
           % (len(EVIL), EVIL)),
    refuse("CL.TE", post_with(b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
                              b"5c\r\nGPOST / HTTP/1.1\r\nContent-Length: 15\r\n\r\nx=1\r\n0\r\n\r\n")),
    refuse("TE.CL", post_with(b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\nG")),
    refuse("TE.TE", post_with(b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\nTransfer-encoding: cow\r\n", b"5c\r\nGPOST / HTTP/1.1\r\n"), 400, 501),
    cut("a bad chunk, then a request", post_chunks(b"5\r\nhello\r\nzz\r\n" + EVIL)),
    cut("0.CL: a chunk that swallows the next", post_chunks(b"5\r\nhelloGET /evil HTTP/1.1\r\n\r\n")),
    refuse("an error is not followed by another", BAD * 5),
]
