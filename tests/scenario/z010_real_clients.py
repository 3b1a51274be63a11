"""Clients that people use, through the proxy, with their own ideas of HTTP."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import pytest

from support.origin import ok, websocket
from support.proxy import ROOT, free_port


def tool(name):
    path = shutil.which(name)
    if not path:
        pytest.skip(f"{name} is not installed")
    return path


def run(*command, timeout=50, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, timeout=timeout, **options)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture
def demo():
    """One demo server; its address."""
    address = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen([sys.executable, os.path.join(ROOT, "demo", "server.py"), "s1", address],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    import socket
    import time
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), 1).close()
            break
        except OSError:
            time.sleep(0.05)
    yield address
    process.terminate()
    process.wait(10)


@pytest.fixture
def url(make_proxy, demo):
    proxy = make_proxy([demo])
    return f"http://{proxy.address}"


# -- curl

def test_curl_get_head_and_versions(url):
    curl = tool("curl")
    assert run(curl, "-sS", "--fail", f"{url}/name").strip() == b"s1"
    assert run(curl, "-sS", "--fail", "--http1.0", f"{url}/name").strip() == b"s1"
    assert b"200" in run(curl, "-sS", "--fail", "-I", f"{url}/name").splitlines()[0]
    assert run(curl, "-sS", "--fail", f"{url}/name", f"{url}/name", f"{url}/name").split() == [b"s1"] * 3
    assert run(curl, "-sS", "-o", os.devnull, "-w", "%{http_code}", f"{url}/status/404") == b"404"


def test_curl_uploads(url, tmp_path):
    curl = tool("curl")
    data = os.urandom(3_000_000)
    file = tmp_path / "file"
    file.write_bytes(data)
    for options in ((), ("-H", "Transfer-Encoding: chunked"), ("--expect100-timeout", "5", "-H", "Expect: 100-continue"),
                    ("--http1.0",), ("-H", "Expect:")):
        assert run(curl, "-sS", "--fail", "-T", file, *options, f"{url}/echo") == data, options
    assert run(curl, "-sS", "--fail", "--data-binary", f"@{file}", f"{url}/echo") == data


def test_curl_as_an_http_proxys_client_and_ranges(make_proxy, make_origin):
    curl = tool("curl")
    body = bytes(i % 256 for i in range(10000))

    def ranged(conn, request):
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", request.header("range", ""))
        if asked:
            first, last = int(asked[1]), int(asked[2])
            return ok(body[first:last + 1], [("Content-Range", f"bytes {first}-{last}/{len(body)}")], 206)(conn, request)
        return ok(body)(conn, request)
    origin = make_origin(ranged)
    proxy = make_proxy(origin)
    assert run(curl, "-sS", "--fail", "-r", "100-199", f"http://{proxy.address}/") == body[100:200]
    assert run(curl, "-sS", "--fail", "-x", f"http://{proxy.address}", "http://some.example/x") == body
    assert origin.requests[-1].header("host") == "some.example" and origin.requests[-1].target == "/x"


def test_curl_parallel_and_compressed(url):
    curl = tool("curl")
    done = run(curl, "-sS", "--fail", "--compressed", "-Z", *[f"{url}/name?{i}" for i in range(60)])
    assert done.split() == [b"s1"] * 60 or done == b"s1" * 60


# -- load generators

def test_wrk(make_proxy, make_origin):
    wrk = tool("wrk")
    proxy = make_proxy(make_origin(ok(b"x" * 2000), keep=False))
    said = run(wrk, "-t1", "-c20", "-d2s", f"http://{proxy.address}/").decode()
    assert "Socket errors" not in said and "Non-2xx" not in said, said
    assert int(re.search(r"(\d+) requests in", said)[1]) > 50


def test_h2load_pipelines_http_1_1(make_proxy, make_origin):
    h2load = tool("h2load")
    proxy = make_proxy(make_origin(ok(b"x" * 500), keep=False))
    for many in (1, 8):
        said = run(h2load, "--h1", "-n400", "-c10", f"-m{many}", f"http://{proxy.address}/").decode()
        assert "400 succeeded, 0 failed, 0 errored, 0 timeout" in said, said


@pytest.mark.parametrize("options", [(), ("-k",)], ids=["a-connection-each", "keep-alive"])
def test_ab(make_proxy, make_origin, options, tmp_path):
    """Speaks HTTP/1.0."""
    ab = tool("ab")
    proxy = make_proxy(make_origin(ok(b"x" * 500), keep=False))
    said = run(ab, "-q", "-n300", "-c10", *options, f"http://{proxy.address}/").decode()
    assert re.search(r"Complete requests:\s+300\b", said) and re.search(r"Failed requests:\s+0\b", said), said
    body = tmp_path / "body"
    body.write_bytes(b"y" * 5000)
    said = run(ab, "-q", "-n100", "-c5", *options, "-p", body, "-T", "text/plain", f"http://{proxy.address}/").decode()
    assert re.search(r"Failed requests:\s+0\b", said) and "Non-2xx" not in said, said


# -- Node

NODE = """
const url = process.argv[2], http = require("http");
(async () => {
  for (let i = 0; i < 30; i++) {
    const reply = await fetch(url + "/name?" + i);
    if (reply.status !== 200 || (await reply.text()).trim() !== "s1") throw new Error("get " + i);
  }
  await Promise.all([...Array(50).keys()].map(async i => {
    const body = "b".repeat(i * 997);
    const reply = await fetch(url + "/echo", { method: "POST", body });
    if (await reply.text() !== body) throw new Error("post " + i);
  }));
  const stream = new ReadableStream({ start(c) { for (let i = 0; i < 100; i++) c.enqueue(new TextEncoder().encode("piece")); c.close(); } });
  const reply = await fetch(url + "/echo", { method: "POST", body: stream, duplex: "half" });
  if (await reply.text() !== "piece".repeat(100)) throw new Error("stream");
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 }), ports = new Set();
  for (let i = 0; i < 10; i++)
    await new Promise((done, fail) => http.get(url + "/name", { agent }, r => { ports.add(r.socket.localPort); r.resume(); r.on("end", done); }).on("error", fail));
  if (ports.size !== 1) throw new Error("the agent's connection was not kept: " + ports.size);
  const left = new AbortController();
  setTimeout(() => left.abort(), 200);
  await fetch(url + "/slow?ms=5000", { signal: left.signal }).then(() => { throw new Error("not aborted"); }, () => {});
  const hop = await (await fetch(url + "/headers")).json();
  console.log(JSON.stringify(hop));
  process.exit(0);
})().catch(error => { console.error(error); process.exit(1); });
"""


def test_node_fetch_and_agent(url, tmp_path):
    node = tool("node")
    script = tmp_path / "client.js"
    script.write_text(NODE)
    said = json.loads(run(node, script, url))
    assert "x-forwarded-for" in json.dumps(said).lower()


# -- WebSocket

WEBSOCKETS = """
import asyncio, sys, websockets
async def main():
    async with websockets.connect(sys.argv[1], compression=None) as socket:
        for text in ("hello", "x" * 100, "grüße"):
            await socket.send(text)
            assert await socket.recv() == text
asyncio.run(main())
"""


def test_a_websocket_library(make_proxy, make_origin, tmp_path):
    pytest.importorskip("websockets", reason="python3-websockets is not installed")
    proxy = make_proxy(make_origin(websocket()))
    script = tmp_path / "client.py"
    script.write_text(WEBSOCKETS)
    run(sys.executable, script, f"ws://{proxy.address}/chat")


def test_a_websocket_library_and_the_demo_server(url, tmp_path):
    pytest.importorskip("websockets", reason="python3-websockets is not installed")
    script = tmp_path / "client.py"
    script.write_text(WEBSOCKETS)
    run(sys.executable, script, url.replace("http:", "ws:") + "/socket")


# -- a browser

def test_chromium_shows_the_demo_page(url):
    """The page asks for itself many times and opens a WebSocket; the DOM afterwards tells."""
    chromium = tool("chromium")
    for _ in range(3):  # its virtual clock does not wait for a WebSocket
        with tempfile.TemporaryDirectory(prefix="tk-chromium-") as home:
            said = run(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                       "--disable-background-networking", "--disable-component-update", "--disable-sync",
                       f"--user-data-dir={home}", "--virtual-time-budget=3000", "--timeout=20000", "--dump-dom", f"{url}/",
                       env=dict(os.environ, HOME=home)).decode()
        assert "This is <b>s1</b>" in said and "behind twokey" in said
        if ">connecting<" not in said:
            break
    assert 'id="socket"' in said and ">connecting<" not in said, said[-600:]


def test_chromium_takes_our_own_error_page(make_proxy, origin):
    chromium = tool("chromium")
    proxy = make_proxy(origin, route={"path": "/only"})
    with tempfile.TemporaryDirectory(prefix="tk-chromium-") as home:
        said = run(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update", "--disable-sync",
                   f"--user-data-dir={home}", "--timeout=20000", "--dump-dom", f"http://{proxy.address}/nowhere",
                   env=dict(os.environ, HOME=home)).decode()
    assert "<h1>404 Not Found</h1>" in said


def test_a_python_client_that_keeps_its_connection(url):
    import http.client
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    for size in (0, 10, 100000):
        connection.request("POST", "/echo", body=b"p" * size)
        assert connection.getresponse().read() == b"p" * size
    connection.request("POST", "/echo", body=iter([b"a" * 1000] * 10), encode_chunked=True,
                       headers={"Transfer-Encoding": "chunked"})
    assert connection.getresponse().read() == b"a" * 10000
    connection.close()
