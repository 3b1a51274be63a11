"""Another gRPC client and other servers (tests/grpc, npm packages), through the proxy; z300 needs no npm."""
import json
import queue
import subprocess
import threading

import pytest
from support import npm
from support.h2_origin import h2_pool

FOLDER = npm.folder("grpc")
pytestmark = pytest.mark.timeout(200)


@pytest.fixture(scope="module")
def installed():
    npm.install("grpc", "@grpc/proto-loader")


class Server:
    def __init__(self, name):
        self.process = subprocess.Popen(["node", "server.js", name], cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.address = "127.0.0.1:" + self.wait("port ")[5:]

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.strip())

    def wait(self, begin, timeout=30):
        while True:
            line = self.lines.get(timeout=timeout)
            if line.startswith(begin):
                return line

    def order(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def server(installed):
    started = []

    def make(name="s1"):
        started.append(Server(name))
        return started[-1]
    yield make
    for each in started:
        each.stop()


def begin(proxy, what, count=1):
    return subprocess.Popen(["node", "client.js", proxy.address, what, str(count)], cwd=FOLDER, text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def end(client, order=""):
    try:
        told, complaints = client.communicate(order, timeout=90)
    finally:
        client.kill()
    assert told, complaints
    return json.loads(told)


def call(proxy, what, count=1):
    return end(begin(proxy, what, count))


def test_calls_of_every_kind(server, make_proxy):
    s1 = server()
    proxy = make_proxy([s1.address], pool=h2_pool())
    assert call(proxy, "trailers") == {"text": "hello ann", "trailers": {"x-server": "s1"}}
    assert call(proxy, "fail") == {"code": 9, "details": "not today: 50 %"}
    counted = call(proxy, "count", 2000)
    assert counted["code"] == 0 and counted["got"] == [str(i) for i in range(1, 2001)]
    assert call(proxy, "gather", 2000) == {"code": 0, "text": "2000"}
    chatted = call(proxy, "chat", 50)
    assert chatted["code"] == 0 and chatted["got"] == [str(i) for i in range(1, 51)]


def test_deadlines_and_cancellation_reach_the_server(server, make_proxy):
    s1 = server()
    proxy = make_proxy([s1.address], pool=h2_pool())
    assert call(proxy, "deadline")["code"] == 4
    assert s1.wait("slow begun") == "slow begun, deadline set"
    s1.wait("slow cancelled")
    client = begin(proxy, "cancel")
    assert s1.wait("slow begun") == "slow begun, deadline none"
    assert end(client, "cancel\n")["code"] == 1
    s1.wait("slow cancelled")
    proxy.wait_for(lambda: proxy.metrics().value("twokey_server_in_flight") == 0)


def test_calls_are_balanced_each_by_itself(server, make_proxy):
    servers = {name: server(name).address for name in ("s1", "s2", "s3")}
    proxy = make_proxy({name: {"address": address} for name, address in servers.items()}, pool=h2_pool(), process={"workers": 1})
    assert call(proxy, "hello", 30) == {"servers": {"s1": 10, "s2": 10, "s3": 10}, "failures": []}


def test_a_server_that_leaves_loses_no_call(server, make_proxy):
    """It says GOAWAY, and refuses connections from then on."""
    s1, s2 = server("s1"), server("s2")
    proxy = make_proxy({"s1": {"address": s1.address}, "s2": {"address": s2.address}}, pool=h2_pool())

    def leave():
        proxy.wait_for(lambda: proxy.metrics().value("twokey_server_requests_total", server="s1") >= 20)
        s1.order("leave")
    leaves = threading.Thread(target=leave)
    leaves.start()
    said = call(proxy, "hello", 600)
    leaves.join()
    assert said["failures"] == [] and said["servers"]["s2"] > said["servers"].get("s1", 0)
    s1.wait("left")


def test_no_server_is_unavailable(installed, make_proxy):
    proxy = make_proxy(["127.0.0.1:1"], pool=h2_pool())
    failure = call(proxy, "hello")["failures"][0]
    assert failure == {"code": 14, "details": "the server refused the connection"}


def test_its_health_service_is_asked(server, make_proxy):
    s1 = server()
    proxy = make_proxy([s1.address], pool=h2_pool(health_check={"type": "grpc", "service": "greet.Greeter", "interval": "100ms",
                                                                "fast_interval": "100ms", "timeout": "1s", "fall": 1, "rise": 1}))

    def check():
        return proxy.server("s1")["addresses"][0]
    proxy.wait_event("server-up", server="s1")
    assert s1.wait("checked") == "checked greet.Greeter"
    for order, why in (("NOT_SERVING", "NOT_SERVING"), ("UNKNOWN_SERVICE", "NOT_FOUND")):
        s1.order(order)
        proxy.wait_for(lambda why=why: check()["health"] == "down" and why in check()["last_check"])
    s1.order("SERVING")
    proxy.wait_for(lambda: check()["health"] == "up")
