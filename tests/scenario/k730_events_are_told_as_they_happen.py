"""GET /v1/events: server-sent events made of the audit chain, resumed by Last-Event-ID, none twice and none lost."""
import json
import socket
import threading
import time

import pytest

PATCH = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}


@pytest.fixture
def proxy(make_origin, make_enforced):
    return make_enforced([make_origin(), make_origin()])


class Stream:
    """One stream of events, read line by line."""

    def __init__(self, proxy, person="cat", last=None):
        host, _, port = proxy.admin_address.rpartition(":")
        self.sock = socket.create_connection((host, int(port)), timeout=20)
        head = f"GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {proxy.tokens[person]}\r\n"
        if last is not None:
            head += f"Last-Event-ID: {last}\r\n"
        self.sock.sendall(head.encode() + b"\r\n")
        self.file = self.sock.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = {}
        while True:
            line = self.file.readline().strip().decode()
            if not line:
                break
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        self.text = b""

    def _more(self):
        size = int(self.file.readline(), 16)
        piece = self.file.read(size)
        self.file.readline()
        assert size > 0, "the stream has ended"
        self.text += piece

    def block(self):
        while b"\n\n" not in self.text:
            self._more()
        block, _, self.text = self.text.partition(b"\n\n")
        return block.decode()

    def event(self):
        """The next event: (id, name, data); comments and retry are passed over."""
        while True:
            fields = dict(line.split(": ", 1) for line in self.block().split("\n"))
            if "id" in fields:
                return int(fields["id"]), fields["event"], json.loads(fields["data"])

    def close(self):
        self.file.close()
        self.sock.close()


def test_what_happens_is_told(proxy):
    stream = Stream(proxy)
    assert stream.status == 200 and stream.headers["content-type"] == "text/event-stream"
    assert stream.block().startswith("retry:")
    change = proxy.as_("ann").submit(PATCH)
    first = stream.event()
    assert first[1] == "change.created" and first[2]["change"] == change["id"] and first[2]["person"] == "ann"
    second = stream.event()
    assert second[1] == "change.submitted" and second[0] == first[0] + 1 == second[2]["seq"]
    assert set(first[2]) == {"seq", "t", "event", "change", "digest", "outcome", "person"}  # no address, no data
    stream.close()


def test_they_are_told_at_once(proxy):
    """Not with the next tick: twenty in a row, each awaited, take less than the seconds that ticks would."""
    stream, ann = Stream(proxy), proxy.as_("ann")
    began = time.monotonic()
    for number in range(20):
        made = ann.post("/v1/changes", {"title": f"n {number}", "reason": "y", "patch": PATCH}).json()
        assert stream.event()[2]["change"] == made["id"]
    assert time.monotonic() - began < 15
    stream.close()


def test_a_stream_goes_on_where_it_was_cut(proxy):
    stream, seen = Stream(proxy), []
    ann = proxy.as_("ann")
    for number in range(12):
        change = ann.post("/v1/changes", {"title": f"n {number}", "reason": "y", "patch": PATCH}).json()
        ann.post(f"/v1/changes/{change['id']}/withdraw")
        if number % 4 == 3:
            seen.append(stream.event()[0])
            seen.append(stream.event()[0])
            stream.close()
            stream = Stream(proxy, last=seen[-1])
    head = proxy.as_("dan").get("/v1/audit/head").json()["seq"]
    while seen[-1] < head:
        seen.append(stream.event()[0])
    assert seen == list(range(seen[0], head + 1))
    whole = Stream(proxy, last=0)
    assert [whole.event()[0] for _ in range(head)] == list(range(1, head + 1))
    whole.close()
    stream.close()
    beyond = Stream(proxy, last=10 ** 9)
    made = ann.post("/v1/changes", {"title": "n", "reason": "y", "patch": PATCH}).json()
    assert beyond.event()[2]["change"] == made["id"]
    beyond.close()
    assert Stream(proxy, last="x").status == 422


def test_who_does_not_read_delays_nobody(proxy):
    lazy = [Stream(proxy, last=0) for _ in range(8)]
    brisk, ann = Stream(proxy), proxy.as_("ann")
    for number in range(60):
        change = ann.post("/v1/changes", {"title": f"n {number}", "reason": "y" * 1500, "patch": PATCH}).json()
        assert ann.post(f"/v1/changes/{change['id']}/withdraw").status == 200
    last = 0
    while last < proxy.as_("dan").get("/v1/audit/head").json()["seq"]:
        last = brisk.event()[0]
    for stream in lazy:
        assert stream.event()[0] == 1
        stream.close()
    brisk.close()


def test_streams_are_bounded_and_given_back(proxy):
    streams = []
    while len(streams) < 100:
        stream = Stream(proxy)
        if stream.status != 200:
            assert stream.status == 429 and stream.headers["retry-after"]
            stream.close()
            break
        streams.append(stream)
    assert len(streams) == 64
    assert proxy.as_("ann").get("/v1/status").status == 200
    before = proxy.descriptors()
    for stream in streams:
        stream.close()
    ann = proxy.as_("ann")
    ann.post("/v1/changes", {"title": "n", "reason": "y", "patch": PATCH})  # the next event finds nobody there
    proxy.wait_for(lambda: proxy.descriptors() <= before - 60, timeout=40)
    again = Stream(proxy)
    assert again.status == 200
    again.close()


def test_streams_end_with_the_process(proxy):
    streams = [Stream(proxy) for _ in range(5)]
    ended = []

    def read(stream):
        try:
            while stream.sock.recv(4096):
                pass
        except OSError:
            pass
        ended.append(1)

    threads = [threading.Thread(target=read, args=(stream,)) for stream in streams]
    for thread in threads:
        thread.start()
    proxy.process.terminate()
    assert proxy.wait_exit() == 0
    for thread in threads:
        thread.join(10)
    assert len(ended) == 5
