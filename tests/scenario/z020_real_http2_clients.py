"""Clients that people use, over HTTP/2: in clear text with prior knowledge, and over TLS by ALPN."""
import os
import re
import sys
import tempfile

import pytest
from z010_real_clients import run, tool

from support.origin import echo, ok, response, websocket
from support.tls import tls_listener

NAME = "shop.example"


@pytest.fixture
def secure(make_proxy, authority):
    """secure(origin): a proxy with TLS; its URL, and how curl reaches it."""
    def make(origin, **more):
        options = tls_listener(authority.directory, authority.certificate("shop", NAME, "localhost", ip="127.0.0.1"))
        for part, patch in more.items():
            options.setdefault(part, {}).update(patch)
        proxy = make_proxy(origin, **options)
        proxy.port = proxy.address.rpartition(":")[2]
        proxy.url = f"https://{NAME}:{proxy.port}"
        proxy.curl = [tool("curl"), "-sS", "--fail", "--cacert", authority.cert_file, "--resolve", f"{NAME}:{proxy.port}:127.0.0.1"]
        return proxy
    return make


def report(conn, request):
    conn.send(response(200, None, f"{request.version} {request.header('x-forwarded-proto')} {request.method} {request.target}".encode()))


# -- curl

def test_curl_over_tls(secure, make_origin):
    proxy = secure(make_origin({"/report": report, "*": echo()}))
    how = ["-o", os.devnull, "-w", "%{http_version} %{http_code}"]
    assert run(*proxy.curl, "--http2", *how, f"{proxy.url}/") == b"2 200"
    assert run(*proxy.curl, "--http1.1", *how, f"{proxy.url}/") == b"1.1 200"
    assert run(*proxy.curl, "--http2", "--tls-max", "1.2", *how, f"{proxy.url}/") == b"2 200"
    assert run(*proxy.curl, "--no-alpn", *how, f"{proxy.url}/") == b"1.1 200"
    assert run(*proxy.curl, "--http2", f"{proxy.url}/report") == b"1.1 https GET /report"
    assert b"HTTP/2 200" in run(*proxy.curl, "--http2", "-I", f"{proxy.url}/")


def test_curl_in_clear_text(make_proxy, make_origin):
    proxy = make_proxy(make_origin({"/report": report, "*": echo()}))
    curl, url = [tool("curl"), "-sS", "--fail"], f"http://{proxy.address}"
    how = ["-o", os.devnull, "-w", "%{http_version} %{http_code}"]
    assert run(*curl, "--http2-prior-knowledge", *how, f"{url}/") == b"2 200"
    assert run(*curl, "--http2", *how, f"{url}/") == b"1.1 200"  # Upgrade: h2c is not taken up
    assert run(*curl, "--http2-prior-knowledge", f"{url}/report") == b"1.1 http GET /report"


@pytest.mark.parametrize("is_secure", [True, False], ids=["tls", "clear"])
def test_curl_uploads_and_many_at_once(secure, make_proxy, make_origin, tmp_path, is_secure):
    origin = make_origin({"/echo": echo(), "*": report}, keep=True)
    if is_secure:
        proxy = secure(origin)
        curl, url = [*proxy.curl, "--http2"], proxy.url
    else:
        proxy = make_proxy(origin)
        curl, url = [tool("curl"), "-sS", "--fail", "--http2-prior-knowledge"], f"http://{proxy.address}"
    body = os.urandom(3_000_000)
    file = tmp_path / "file"
    file.write_bytes(body)
    assert run(*curl, "-T", file, f"{url}/echo") == body
    assert run(*curl, "--data-binary", f"@{file}", f"{url}/echo") == body
    with open(file, "rb") as stdin:  # of unknown length
        assert run(*curl, "-T", "-", f"{url}/echo", stdin=stdin) == body
    if not is_secure:
        return  # curl 7.88 does not use a connection of prior knowledge twice, whoever serves it
    said = run(*curl, "-Z", *[f"{url}/{number}?x" for number in range(80)])
    assert sorted(re.findall(rb"GET (/\d+)\?x", said)) == sorted(b"/%d" % number for number in range(80))


# -- nghttp and h2load

def test_nghttp(secure, make_proxy, make_origin):
    origin = make_origin(ok(b"nghttp-body" * 1000))
    clear, tls = make_proxy(origin), secure(origin)
    for url in (f"http://{clear.address}", f"https://127.0.0.1:{tls.port}"):
        said = run(tool("nghttp"), "-v", "-m", "20", "--no-dep", f"{url}/a")
        assert said.count(b":status: 200") == 20 and b"GOAWAY" in said and b"nghttp-body" in said
        assert b"error_code=NO_ERROR" in said and b"PROTOCOL_ERROR" not in said
        run(tool("nghttp"), "-n", "-u", "-H", "te: trailers", "--trailer", "x-t: 1", "-d", os.path.abspath(__file__), f"{url}/upload")


@pytest.mark.parametrize("is_secure", [True, False], ids=["tls", "clear"])
def test_h2load(secure, make_proxy, make_origin, is_secure):
    origin = make_origin(ok(b"x" * 500), keep=False)
    url = f"https://127.0.0.1:{secure(origin).port}" if is_secure else f"http://{make_proxy(origin).address}"
    for many in (1, 30):
        said = run(tool("h2load"), "-n600", "-c6", f"-m{many}", f"{url}/").decode()
        assert "600 succeeded, 0 failed, 0 errored, 0 timeout" in said, said
        assert ("Application protocol: h2\n" in said) == is_secure


# -- openssl

@pytest.mark.parametrize("offered, agreed", [("h2", "h2"), ("http/1.1,h2", "h2"), ("http/1.1", "http/1.1"), (None, None)])
def test_openssl_agrees_on_a_protocol(secure, make_origin, authority, offered, agreed):
    proxy = secure(make_origin())
    said = run(tool("openssl"), "s_client", "-connect", f"127.0.0.1:{proxy.port}", "-servername", NAME, "-CAfile", authority.cert_file,
               *(["-alpn", offered] if offered else []), input=b"").decode("latin-1")
    assert "Verify return code: 0 (ok)" in said
    assert (f"ALPN protocol: {agreed}" if agreed else "No ALPN negotiated") in said


# -- Node

NODE = """
const http2 = require("http2"), url = process.argv[2], ca = require("fs").readFileSync(process.argv[3]);
const session = http2.connect(url, { ca, servername: "shop.example" });
const ask = (headers, body) => new Promise((done, fail) => {
  const stream = session.request(headers), got = { pieces: [] };
  stream.on("response", h => { got.headers = h; });
  stream.on("trailers", t => { got.trailers = t; });
  stream.on("data", d => got.pieces.push(d));
  stream.on("end", () => { got.body = Buffer.concat(got.pieces); done(got); });
  stream.on("error", fail);
  stream.end(body);
});
session.on("error", error => { console.error(error); process.exit(1); });
(async () => {
  const all = [];
  for (let i = 0; i < 90; i++) all.push(ask({ ":path": "/echo?" + i, ":method": "POST" }, Buffer.alloc(i * 997, i)));
  (await Promise.all(all)).forEach((got, i) => {
    if (got.headers[":status"] !== 200 || !got.body.equals(Buffer.alloc(i * 997, i))) throw new Error("echo " + i);
  });
  const trailed = await ask({ ":path": "/trailers", te: "trailers" });
  if (trailed.trailers["x-checksum"] !== "7") throw new Error("trailers");
  const left = session.request({ ":path": "/stall" });
  left.on("error", () => {});
  setTimeout(() => left.close(http2.constants.NGHTTP2_CANCEL), 50);
  await new Promise(done => left.on("close", done));
  if ((await ask({ ":path": "/echo" })).headers[":status"] !== 200) throw new Error("after a cancel");
  await new Promise((done, fail) => session.ping((error) => error ? fail(error) : done()));
  session.close(() => { console.log("done"); });
})().catch(error => { console.error(error); process.exit(1); });
"""


def test_node_http2(secure, make_origin, authority, tmp_path):
    from support.origin import before_body, chunked, stall
    proxy = secure(make_origin({"/trailers": chunked([b"a"], [("X-Checksum", "7")]), "/stall": before_body(stall()), "*": echo()}))
    script = tmp_path / "client.js"
    script.write_text(NODE)
    assert run(tool("node"), script, f"https://127.0.0.1:{proxy.port}", authority.cert_file) == b"done\n"


# -- WebSocket

WEBSOCKETS = """
import asyncio, ssl, sys, websockets
async def main():
    context = ssl.create_default_context(cafile=sys.argv[2])
    async with websockets.connect(sys.argv[1], compression=None, ssl=context, server_hostname="shop.example") as socket:
        for text in ("hello", "x" * 100, "grüße"):
            await socket.send(text)
            assert await socket.recv() == text
asyncio.run(main())
"""

NODE_WEBSOCKET = """
const http2 = require("http2");
const session = http2.connect(process.argv[2], { ca: require("fs").readFileSync(process.argv[3]), servername: "shop.example" });
session.on("error", error => { console.error(error); process.exit(1); });
session.on("remoteSettings", settings => {
  if (!settings.enableConnectProtocol) { console.error("not offered"); process.exit(1); }
  const stream = session.request({ ":method": "CONNECT", ":protocol": "websocket", ":path": "/chat", ":scheme": "https", ":authority": "shop.example",
                                   "sec-websocket-version": "13" }, { endStream: false });
  const frame = text => {
    const data = Buffer.from(text), key = Buffer.from([1, 2, 3, 4]);
    return Buffer.concat([Buffer.from([0x81, 0x80 | data.length]), key, data.map((byte, i) => byte ^ key[i % 4])]);
  };
  const texts = ["hello", "x".repeat(100), "grüße"];
  let got = Buffer.alloc(0), turn = 0;
  stream.on("response", headers => {
    if (headers[":status"] !== 200) { console.error(headers); process.exit(1); }
    stream.write(frame(texts[0]));
  });
  stream.on("data", data => {
    got = Buffer.concat([got, data]);
    while (got.length >= 2 && got.length >= 2 + got[1]) {
      if (got.subarray(2, 2 + got[1]).toString() !== texts[turn]) { console.error("got " + got); process.exit(1); }
      got = got.subarray(2 + got[1]);
      if (++turn < texts.length) stream.write(frame(texts[turn]));
      else { console.log("done"); stream.end(); session.destroy(); }
    }
  });
  stream.on("error", error => { console.error(error); process.exit(1); });
});
"""


def test_a_websocket_over_tls_and_http_1_1(secure, make_origin, authority, tmp_path):
    pytest.importorskip("websockets", reason="python3-websockets is not installed")
    proxy = secure(make_origin(websocket()))
    script = tmp_path / "client.py"
    script.write_text(WEBSOCKETS)
    run(sys.executable, script, f"wss://127.0.0.1:{proxy.port}/chat", authority.cert_file)


def test_a_websocket_over_http_2(secure, make_origin, authority, tmp_path):
    """RFC 8441: the server behind speaks HTTP/1.1 and gets a handshake of RFC 6455."""
    origin = make_origin(websocket())
    proxy = secure(origin)
    script = tmp_path / "client.js"
    script.write_text(NODE_WEBSOCKET)
    assert run(tool("node"), script, f"https://127.0.0.1:{proxy.port}", authority.cert_file) == b"done\n"
    asked = origin.requests[0]
    assert (asked.method, asked.target, asked.header("upgrade").lower()) == ("GET", "/chat", "websocket")
    assert asked.header("sec-websocket-version") == "13" and asked.header("sec-websocket-key")


# -- a browser

PAGE = """<!doctype html><title>a hundred</title><link rel="icon" href="data:,"><p id="said">loading</p>
<script>let ran = 0;</script>
%s
<script>addEventListener("load", () => {
  const all = performance.getEntriesByType("resource"), h2 = all.filter(one => one.nextHopProtocol === "h2");
  document.getElementById("said").textContent = "ran " + ran + ", loaded " + all.length + ", by h2 " + h2.length;
});</script>
"""


def test_chromium_loads_a_page_of_a_hundred_resources(secure, make_origin):
    page = PAGE % "\n".join(f'<script src="/script/{number}.js"></script>' for number in range(100))

    def serve(conn, request):
        if request.target.startswith("/script/"):
            return ok(b"ran++; // " + b"x" * 3000, [("Content-Type", "text/javascript"), ("Cache-Control", "no-store")])(conn, request)
        return ok(page.encode(), [("Content-Type", "text/html")])(conn, request)
    origin = make_origin(serve)
    proxy = secure(origin)
    with tempfile.TemporaryDirectory(prefix="tk-chromium-") as home:
        said = run(tool("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--ignore-certificate-errors",
                   "--disable-background-networking", "--disable-component-update", "--disable-sync", f"--user-data-dir={home}",
                   "--virtual-time-budget=10000", "--timeout=30000", "--dump-dom", f"https://127.0.0.1:{proxy.port}/",
                   env=dict(os.environ, HOME=home)).decode()
    assert "ran 100, loaded 100, by h2 100" in said, said[-600:]
    assert len({head.target for head in origin.heads if head.target.startswith("/script/")}) == 100
