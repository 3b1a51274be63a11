"""The request line: methods, versions, targets (RFC 9112 section 3)."""
from support.corpus import EVIL, HOST, Want, either, forward, forwarded, get_with, refuse, refused

NO_METHOD = (400, 405, 501)
NO_VERSION = (400, 505)


def line(name, first, *statuses):
    """A request line that must be refused."""
    return refuse(name, first + b"\r\n" + HOST + b"\r\n" + EVIL, *statuses)


def version(text):
    return line(f"version {text.decode('latin-1')!r}", b"GET / " + text, *NO_VERSION)


def method(name, *statuses):
    return line(f"method {name.decode('latin-1')[:20]!r} of {len(name)}", name + b" / HTTP/1.1", *(statuses or NO_METHOD))


def target(name, text, *statuses):
    return line("target " + name, b"GET " + text + b" HTTP/1.1", *statuses)


def path(name, sent, seen):
    """A path and what the origin must see of it."""
    return forward("path " + name, get_with(target=sent), Want(target=seen))


def known_method(name):
    return forward(f"method {name}", name.encode() + b" /x HTTP/1.1\r\n" + HOST + b"\r\n", Want(name, "/x"))


CASES = [
    # shape
    line("two spaces after the method", b"GET  / HTTP/1.1"),
    line("two spaces before the version", b"GET /  HTTP/1.1"),
    line("a space at the end", b"GET / HTTP/1.1 "),
    line("a word at the end", b"GET / HTTP/1.1 x"),
    line("a tab after the method", b"GET\t/ HTTP/1.1", *NO_METHOD),
    line("a tab before the version", b"GET /\tHTTP/1.1"),
    line("a form feed for a space", b"GET\x0c/\x0cHTTP/1.1", *NO_METHOD),
    line("a carriage return inside", b"GET /\rx HTTP/1.1"),
    line("a carriage return for a space", b"GET /\rHTTP/1.1"),
    line("a nul inside", b"GET /\x00 HTTP/1.1"),
    line("no target", b"GET HTTP/1.1"),
    line("an empty target", b"GET  HTTP/1.1"),
    line("no version", b"GET /"),
    line("no version, a space", b"GET / "),
    line("only a method", b"GET", *NO_METHOD),
    line("a response", b"HTTP/1.1 200 OK", *NO_METHOD),
    line("binary rubbish", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", *NO_METHOD),
    line("rubbish past 127", b"\xff\xfe\xfd", *NO_METHOD),
    line("a space first", b" GET / HTTP/1.1", *NO_METHOD),
    line("a tab first", b"\tGET / HTTP/1.1", *NO_METHOD),
    line("a nul first", b"\x00GET / HTTP/1.1", *NO_METHOD),
    refuse("HTTP/0.9", b"GET /\r\n\r\n" + EVIL, *NO_VERSION),
    refuse("HTTP/0.9 with LF", b"GET /\n", *NO_VERSION),
    line("a request line of 9000 bytes", b"GET /" + b"a" * 9000 + b" HTTP/1.1", 414),
    line("a query of 9000 bytes", b"GET /?" + b"a" * 9000 + b" HTTP/1.1", 414),
    line("a request line of 200,000 bytes", b"GET /" + b"a" * 200000 + b" HTTP/1.1", 414),
    refuse("a request line without end", b"GET /" + b"a" * 100000, 414),
    forward("a request line of 8000 bytes", get_with(target=b"/" + b"a" * 7980), Want(target="/" + "a" * 7980)),

    # lines before it
    forward("one empty line first", b"\r\n" + get_with(), Want()),
    either("two empty lines first", b"\r\n\r\n" + get_with(), refused(), forwarded(Want())),
    either("a bare LF first", b"\n" + get_with(), refused(), forwarded(Want())),
    either("a bare CR first", b"\r" + get_with(), refused(), forwarded(Want())),
    either("100,000 empty lines first", b"\r\n" * 100000 + get_with(), refused(400, 431, 414, 408), forwarded(Want())),
    forward("an empty line after a body",
            b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\nhi\r\n" + get_with(target=b"/next"),
            Want("POST", body=b"hi"), Want(target="/next")),

    # versions
    *[version(text) for text in (
        b"HTTP/0.9", b"HTTP/2.0", b"HTTP/2", b"HTTP/3.0", b"HTTP/1.10", b"HTTP/1.01", b"HTTP/01.1", b"HTTP/11", b"HTTP/1.",
        b"HTTP/.1", b"HTTP/1", b"HTTP/", b"HTTP/+1.1", b"HTTP/1.+1", b"HTTP/1.1.1", b"HTTP/1,1", b"HTTP/1.x", b"HTTP/x.1",
        b"HTTP/-1.1", b"HTTP/9.9", b"http/1.1", b"Http/1.1", b"HTTp/1.1", b"ICE/1.0", b"RTSP/1.0", b"RTSP/1.1", b"HTTPS/1.1",
        b"XTTP/1.1", b"HTTP1.1", b"HTTP/1.1/", b"HTTP\\1.1", b"/HTTP/1.1", b"HTTP/\xb2.1", b"HTTP/1.1\x00", b"HTTP/1.1\x0b",
        b"HTTP/1.1,HTTP/1.1", b"")],
    either("version HTTP/1.2", b"GET / HTTP/1.2\r\n" + HOST + b"\r\n", refused(*NO_VERSION), forwarded(Want())),
    either("version HTTP/1.9", b"GET / HTTP/1.9\r\n" + HOST + b"\r\n", refused(*NO_VERSION), forwarded(Want())),
    forward("version HTTP/1.0", b"GET / HTTP/1.0\r\n" + HOST + b"\r\n", Want(headers={"host": "test.example"}), closes=True),
    forward("version HTTP/1.0 kept alive", b"GET / HTTP/1.0\r\n" + HOST + b"Connection: keep-alive\r\n\r\n", Want()),
    line("SOURCE with ICE", b"SOURCE /x ICE/1.0", 400, 501, 505),
    line("DESCRIBE with RTSP", b"DESCRIBE rtsp://a/ RTSP/1.0", 400, 501, 505),
    line("ANNOUNCE with HTTP", b"ANNOUNCE /x HTTP/1.1", 400, 501),

    # methods
    *[known_method(name) for name in (
        "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK",
        "REPORT", "SEARCH", "PURGE", "M-SEARCH")],
    forward("method HEAD", b"HEAD /x HTTP/1.1\r\n" + HOST + b"\r\n", Want("HEAD", "/x")),
    method(b"get"), method(b"Get"), method(b"gET"), method(b"head"), method(b"FROB", 501), method(b"GETT"), method(b"GE"),
    method(b"XGET"), method(b"G@T"), method(b"GET,"), method(b"GET:"), method(b"GET\x00"), method(b"GET\x7f"), method(b"G\xc3\x89T"),
    method(b"\"GET\""), method(b"GET\x0b"), method(b""), method(b"_"), method(b"A" * 30), method(b"A" * 9000, 400, 414, 501),
    method(b"TRACE", 405, 501), method(b"TRACK", 405, 501),
    line("CONNECT in authority-form", b"CONNECT evil.example:443 HTTP/1.1", *NO_METHOD),
    line("CONNECT in origin-form", b"CONNECT / HTTP/1.1", *NO_METHOD),
    line("CONNECT in absolute-form", b"CONNECT http://test.example/ HTTP/1.1", *NO_METHOD),
    line("CONNECT to the origin's own network", b"CONNECT 127.0.0.1:22 HTTP/1.1", *NO_METHOD),
    line("GET in authority-form", b"GET test.example:80 HTTP/1.1"),

    # targets that are none
    target("with a fragment", b"/a#b"),
    target("that is a fragment", b"#"),
    target("with a fragment after the query", b"/a?b#c"),
    target("with a fragment after the slash", b"/#"),
    target("with a space", b"/a b"),
    target("that smuggles a version", b"/ HTTP/1.1 x"),
    target("with a tab", b"/a\tb"),
    target("with a nul", b"/a\x00b"),
    target("with a bell", b"/a\x07b"),
    target("with a delete", b"/a\x7fb"),
    target("with a form feed", b"/a\x0cb"),
    target("with UTF-8", b"/caf\xc3\xa9"),
    target("with a byte past 127", b"/\xff"),
    target("with UTF-8 in the query", b"/?caf\xc3\xa9"),
    target("relative", b"a"),
    target("relative with a dot", b"./a"),
    target("a query alone", b"?a"),
    target("a backslash first", b"\\a"),
    target("asterisk with GET", b"*"),
    target("asterisk with more", b"*a"),
    target("slash of another kind", b"%2Fa"),
    refuse("asterisk with POST", b"POST * HTTP/1.1\r\n" + HOST + b"\r\n" + EVIL),
    forward("asterisk with OPTIONS", b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", Want("OPTIONS", "*")),
    target("%00", b"/%00"),
    target("%00 at the end", b"/a%00"),
    target("%00 inside", b"/a%00.html"),

    # dots: resolved the same for matching and forwarding
    target("out of the root", b"/.."),
    target("out of the root with a slash", b"/../"),
    target("out of the root with a name", b"/../x"),
    target("out of the root later", b"/a/../../b"),
    target("out of the root after a dot", b"/./../x"),
    target("out of the root, encoded", b"/%2e%2e/x"),
    target("out of the root, encoded in capitals", b"/%2E%2E"),
    target("out of the root, half encoded", b"/.%2e/x"),
    target("out of the root, other half encoded", b"/a/%2e./../b"),
    path("up one", b"/a/../b", "/b"),
    path("up two", b"/a/b/../../c", "/c"),
    path("up at the end", b"/a/b/..", "/a/"),
    path("up at the end with a slash", b"/a/b/../", "/a/"),
    path("a dot", b"/a/./b", "/a/b"),
    path("a dot first", b"/./a", "/a"),
    path("a dot last", b"/a/.", "/a/"),
    path("only a dot", b"/.", "/"),
    path("up one, encoded", b"/a/%2e%2e/b", "/b"),
    path("a dot, encoded", b"/a/%2E/b", "/a/b"),
    path("dots in names stay", b"/a..b/.c/d./...", "/a..b/.c/d./..."),
    path("dots in the query stay", b"/a?x=/../y", "/a?x=/../y"),
    path("dots with a parameter stay", b"/a/..;x/b", "/a/..;x/b"),
    path("two slashes stay", b"//a", "//a"),
    path("two slashes inside stay", b"/a//b", "/a//b"),
    path("slashes at the end stay", b"/a//", "/a//"),
    path("%2F stays", b"/a%2Fb", "/a%2Fb"),
    path("%2f stays", b"/a%2fb", "/a%2fb"),
    path("%5C stays", b"/a%5Cb", "/a%5Cb"),
    path("dots before %2f stay", b"/a/..%2fb", "/a/..%2fb"),
    path("dots before %5c stay", b"/a/..%5cb", "/a/..%5cb"),
    path("double encoding stays", b"/a/%252e%252e/b", "/a/%252e%252e/b"),
    path("the sub-delimiters stay", b"/!$&'()*+,;=:@-._~", "/!$&'()*+,;=:@-._~"),
    path("an empty query stays", b"/a?", "/a?"),
    path("two question marks stay", b"/a??b=?", "/a??b=?"),
    path("encoded letters mean themselves", b"/a?b=%41%2f", "/a?b=%41%2f"),
    either("path with a broken escape", get_with(target=b"/a%zz"), refused(), forwarded(Want(target="/a%zz"))),
    either("path with half an escape", get_with(target=b"/a%4"), refused(), forwarded(Want(target="/a%4"))),
    either("path with a backslash", get_with(target=b"/a\\b"), refused(), forwarded(Want(target="/a\\b"))),
    either("path with a backslash and dots", get_with(target=b"/a\\..\\b"), refused(), forwarded(Want(target="/a\\..\\b"))),
    either("path with characters no URI has", get_with(target=b'/"<>^`{|}'), refused(), forwarded(Want(target='/"<>^`{|}'))),
    either("%00 in the query", get_with(target=b"/?a=%00"), refused(), forwarded(Want(target="/?a=%00"))),
]
