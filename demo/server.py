#!/usr/bin/env python3
"""A small web server that says its name: what twokey stands in front of in ./dev run and in compose.

    server.py NAME ADDRESS:PORT

/            a page for a browser            /slow?ms=500   answers late
/name        the name alone                  /big?bytes=1048576
/healthz     "ok"; 503 after POST /fail      /echo          sends the body back
/status/503  any status                      /headers       the request as it came in, as JSON
/events      server-sent events              /socket        a WebSocket that echoes
POST /fail and POST /recover make it fail and pass its health checks, to see it taken out and back;
after POST /empty it passes them and answers 404 to everything else, until POST /recover.
"""
import asyncio
import base64
import hashlib
import http
import json
import signal
import sys
from urllib.parse import parse_qs, unquote, urlsplit

MAX_HEAD, MAX_BLOCK, MAX_SLOW_MS = 65536, 65536, 600_000
WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>%(name)s behind twokey</title>
<style>
body { font: 17px/1.5 system-ui, sans-serif; max-width: 44em; margin: 3em auto; padding: 0 1em; }
b { color: #06c } table { border-collapse: collapse } td { padding: .1em 1em .1em 0 } .bar { background: #06c; height: 1em }
</style></head><body>
<h1>This is <b>%(name)s</b></h1>
<p>One of the demo servers behind twokey. Reload, and another one may answer.</p>
<p><button id="go">Send 60 requests</button> and see how they are spread:</p><table id="shares"></table>
<p>WebSocket: <span id="socket">connecting</span></p>
<script>
const counts = {};
function show() {
  const total = Object.values(counts).reduce((a, b) => a + b, 0);
  document.getElementById("shares").innerHTML = Object.keys(counts).sort().map(name =>
    `<tr><td>${name}<td>${counts[name]}<td><div class="bar" style="width:${300 * counts[name] / total}px"></div>`).join("");
}
document.getElementById("go").onclick = async () => {
  for (let i = 0; i < 60; i++) {
    const name = await (await fetch("/name", {cache: "no-store"})).text();
    counts[name.trim()] = (counts[name.trim()] || 0) + 1;
    show();
  }
};
const socket = new WebSocket(location.origin.replace(/^http/, "ws") + "/socket");
socket.onopen = () => socket.send("hello");
socket.onmessage = event => document.getElementById("socket").textContent = "echoed: " + event.data;
socket.onerror = () => document.getElementById("socket").textContent = "failed";
</script></body></html>
"""


class Request:
    def __init__(self, method, target, version, headers):
        self.method, self.target, self.version, self.headers = method, target, version, headers
        url = urlsplit(target)
        self.path, self.query = unquote(url.path), parse_qs(url.query)

    def header(self, name, default=""):
        return next((value for key, value in self.headers if key.lower() == name), default)

    def number(self, name, default, largest):
        try:
            return max(0, min(largest, int(self.query[name][0])))
        except (KeyError, ValueError):
            return default

    @property
    def keeps_open(self):
        words = self.header("connection").lower()
        return "close" not in words and (self.version == "HTTP/1.1" or "keep-alive" in words)


async def read_request(reader):
    """The next request's head, or None where the client is done."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    lines = head.decode("latin-1").split("\r\n")
    method, target, version = lines[0].split(" ", 2)
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:-2])]
    return Request(method, target, version, headers)


async def body_blocks(reader, request):
    """The request's body, block by block, its chunks undone."""
    if "chunked" in request.header("transfer-encoding").lower():
        while size := int((await reader.readline()).split(b";")[0], 16):
            while size:
                block = await reader.read(min(size, MAX_BLOCK))
                if not block:
                    raise ConnectionResetError
                size -= len(block)
                yield block
            await reader.readline()
        while (await reader.readline()).strip():
            pass
        return
    left = int(request.header("content-length", "0"))
    while left:
        block = await reader.read(min(left, MAX_BLOCK))
        if not block:
            raise ConnectionResetError
        left -= len(block)
        yield block


class Server:
    def __init__(self, name):
        self.name, self.is_failing, self.is_empty, self.connections = name, False, False, set()

    async def connection(self, reader, writer):
        task = asyncio.current_task()
        self.connections.add(task)
        try:
            while request := await read_request(reader):
                if "100-continue" in request.header("expect").lower():
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                if not await self.answer(request, reader, writer):
                    break
        except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError, asyncio.LimitOverrunError,
                ValueError):
            pass
        finally:
            self.connections.discard(task)
            writer.close()

    def head(self, status, headers):
        try:
            reason = http.HTTPStatus(status).phrase
        except ValueError:
            reason = "Status"
        lines = ["HTTP/1.1 %d %s" % (status, reason), "X-Server: " + self.name]
        lines += ["%s: %s" % header for header in headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    async def reply(self, request, writer, status, body, content_type="text/plain; charset=utf-8", headers=()):
        body = body if isinstance(body, bytes) else body.encode()
        bare = status in (204, 304)
        fields = list(headers)
        if not bare:
            fields += [("Content-Type", content_type), ("Content-Length", len(body))]
        if not request.keeps_open:
            fields.append(("Connection", "close"))
        writer.write(self.head(status, fields) + (b"" if bare or request.method == "HEAD" else body))
        await writer.drain()
        return request.keeps_open

    async def answer(self, request, reader, writer):
        """Answers one request; False where the connection ends with it."""
        path = request.path
        if path == "/echo" and request.method != "HEAD":
            return await self.echo(request, reader, writer)
        if path == "/socket" and request.header("upgrade").lower() == "websocket":
            return await self.socket(request, reader, writer)
        async for _ in body_blocks(reader, request):
            pass
        if path == "/healthz":
            return await self.reply(request, writer, *((503, "failing\n") if self.is_failing else (200, "ok\n")))
        if path in ("/fail", "/empty", "/recover") and request.method == "POST":
            self.is_failing, self.is_empty = path == "/fail", path == "/empty"
            return await self.reply(request, writer, 200, "%s %s\n" % (self.name, path[1:]))
        if self.is_empty:
            return await self.reply(request, writer, 404, "%s has nothing\n" % self.name)
        if path == "/name":
            return await self.reply(request, writer, 200, self.name + "\n")
        if path == "/":
            return await self.reply(request, writer, 200, PAGE % {"name": self.name}, "text/html; charset=utf-8")
        if path == "/headers":
            seen = {"server": self.name, "method": request.method, "target": request.target,
                    "version": request.version, "headers": request.headers}
            return await self.reply(request, writer, 200, json.dumps(seen, indent=1) + "\n", "application/json")
        if path == "/slow":
            await asyncio.sleep(request.number("ms", 1000, MAX_SLOW_MS) / 1000)
            return await self.reply(request, writer, 200, self.name + " took its time\n")
        if path.startswith("/status/") and path[8:].isdigit() and 200 <= int(path[8:]) <= 599:
            return await self.reply(request, writer, int(path[8:]), "%s: %s\n" % (self.name, path[8:]))
        if path == "/big":
            return await self.big(request, writer)
        if path == "/events":
            return await self.events(request, writer)
        return await self.reply(request, writer, 404, "%s has no %s\n" % (self.name, path))

    async def echo(self, request, reader, writer):
        fields = [("Content-Type", request.header("content-type") or "application/octet-stream"),
                  ("Transfer-Encoding", "chunked")]
        chunked = request.version == "HTTP/1.1"
        if not chunked:
            fields = fields[:1] + [("Connection", "close")]
        writer.write(self.head(200, fields))
        async for block in body_blocks(reader, request):
            writer.write(b"%x\r\n%s\r\n" % (len(block), block) if chunked else block)
            await writer.drain()
        if chunked:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return chunked and request.keeps_open

    async def big(self, request, writer):
        left = request.number("bytes", 1 << 20, 1 << 40)
        writer.write(self.head(200, [("Content-Type", "application/octet-stream"), ("Content-Length", left)]))
        block = b"0123456789abcde\n" * (MAX_BLOCK // 16)
        while left and request.method != "HEAD":
            writer.write(block[:left])
            left -= min(left, len(block))
            await writer.drain()
        return request.keeps_open

    async def events(self, request, writer):
        writer.write(self.head(200, [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store"),
                                     ("Connection", "close")]))
        for number in range(request.number("count", 3600, 1 << 20)):
            writer.write(b"id: %d\ndata: %s\n\n" % (number, self.name.encode()))
            await writer.drain()
            await asyncio.sleep(request.number("ms", 1000, MAX_SLOW_MS) / 1000)
        return False

    async def socket(self, request, reader, writer):
        key = request.header("sec-websocket-key").encode()
        accept = base64.b64encode(hashlib.sha1(key + WEBSOCKET_GUID).digest()).decode()
        writer.write(self.head(101, [("Upgrade", "websocket"), ("Connection", "Upgrade"),
                                     ("Sec-WebSocket-Accept", accept)]))
        while True:
            first, second = await reader.readexactly(2)
            size = second & 127
            if size > 125:
                size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
            mask = await reader.readexactly(4) if second & 128 else bytes(4)
            if size > 1 << 20:
                return False
            data = bytes(byte ^ mask[i % 4] for i, byte in enumerate(await reader.readexactly(size)))
            if first & 15 == 9:  # ping: pong
                first = first & 0xf0 | 10
            length = bytes([size]) if size < 126 else (
                b"\x7e" + size.to_bytes(2, "big") if size < 65536 else b"\x7f" + size.to_bytes(8, "big"))
            writer.write(bytes([first]) + length + data)
            await writer.drain()
            if first & 15 == 8:  # close, answered with the same
                return False


async def main(name, address):
    host, _, port = address.rpartition(":")
    server = Server(name)
    listener = await asyncio.start_server(server.connection, host.strip("[]"), int(port), limit=MAX_HEAD,
                                          backlog=1024)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    print("demo server %s on %s" % (name, address), flush=True)
    await stopped.wait()
    listener.close()
    for task in list(server.connections):
        task.cancel()
    await asyncio.sleep(0)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        asyncio.run(main(sys.argv[1], sys.argv[2]))
    except OSError as error:
        sys.exit("demo server %s: %s: %s" % (sys.argv[1], sys.argv[2], error.strerror))
