"""The access log against what the client saw: one line a request, each field what it says."""
import calendar
import socket
import time

from support.client import Client, build, get
from support.origin import after, close_now, ok, refuse_connections, websocket
from support.proxy import free_port

FIELDS = ["time", "listener", "client", "method", "host", "path", "protocol", "status", "server_status", "route", "pool",
          "server", "server_address", "attempts", "why", "reused", "received_bytes", "sent_bytes", "phases", "request_id",
          "user_agent", "referer", "tunnel"]


def wall_ms(text):
    assert text.endswith("Z") and text[19] == "."
    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) * 1000 + int(text[20:23])


def test_a_line_says_what_the_client_saw(make_proxy, make_origin):
    origin = make_origin(after(0.05, ok(b"hello", status=201)))
    proxy = make_proxy(origin)
    began = time.time() * 1000
    with Client(proxy.address) as client:
        port = client.sock.getsockname()[1]
        request = build("POST", "/a/b?c=d%20e", [("User-Agent", "probe/1"), ("Referer", "http://x.example/y")], b"body")
        client.send(request)
        answer = client.response()
    line, = proxy.access_log(1)
    assert list(line) == FIELDS
    assert began - 1000 < wall_ms(line["time"]) < time.time() * 1000 + 1000
    assert (line["listener"], line["client"]) == ("web", f"127.0.0.1:{port}")
    assert (line["method"], line["host"], line["path"]) == ("POST", "test.example", "/a/b?c=d%20e")
    assert (line["protocol"], line["status"], line["server_status"]) == ("HTTP/1.1", answer.status, 201)
    assert (line["route"], line["pool"], line["server"]) == ("everything", "app", "s1")
    assert (line["server_address"], line["attempts"], line["why"]) == (origin.address, 1, "only_one_left") \
        or line["why"] == "balancer"
    assert (line["user_agent"], line["referer"], line["tunnel"]) == ("probe/1", "http://x.example/y", False)
    assert line["request_id"] == origin.requests[0].header("x-request-id")
    assert line["received_bytes"] == len(request)
    assert line["sent_bytes"] > len(b"hello")


def test_phases_follow_each_other(make_proxy, make_origin):
    proxy = make_proxy(make_origin(after(0.1, ok(b"slow"))), process={"workers": 1})
    for _ in range(5):
        with Client(proxy.address) as client:
            client.send(b"GET / HTTP/1.1\r\n")
            time.sleep(0.05)
            client.send(b"Host: a\r\n\r\n")
            client.response()
    lines = proxy.access_log(5)
    for phases in (line["phases"] for line in lines):
        assert list(phases) == ["head_ms", "queue_ms", "connect_ms", "first_byte_ms", "total_ms"]
        assert 0 <= phases["head_ms"] <= phases["first_byte_ms"] <= phases["total_ms"] < 15000
        assert phases["first_byte_ms"] - phases["head_ms"] >= 95
        assert phases["queue_ms"] == 0 and 0 <= phases["connect_ms"] < phases["first_byte_ms"]
    # On a busy machine both pieces may be read at once, but not each time.
    assert max(line["phases"]["head_ms"] for line in lines) >= 45


def test_a_connection_that_was_open_already_is_called_reused(make_proxy, origin):
    proxy = make_proxy(origin, process={"workers": 1})
    with Client(proxy.address) as client:
        for _ in range(3):
            client.request()
    lines = proxy.access_log(3)
    assert [line["reused"] for line in lines] == [False, True, True]
    assert lines[1]["phases"]["connect_ms"] == 0
    assert len({line["client"] for line in lines}) == 1


def test_a_retry_counts_both_attempts_and_names_the_one_that_answered(make_proxy, make_origin):
    bad, good = make_origin(close_now()), make_origin(ok(b"good"))
    proxy = make_proxy([bad, good], process={"workers": 1}, pool={"ejection": {"consecutive_failures": 0}})
    for _ in range(6):
        assert get(proxy.address).body == b"good"
    lines = proxy.access_log(6)
    retried = [line for line in lines if line["attempts"] == 2]
    assert len(retried) == len(bad.requests) > 0
    for line in retried:
        assert (line["server"], line["why"], line["status"]) == ("s2", "retry", 200)
    assert not any("failure" in line for line in lines)


def test_a_server_that_refuses_is_named_with_the_reason(make_proxy):
    proxy = make_proxy(f"127.0.0.1:{free_port()}", pool={"retry": {"attempts": 0}})
    assert get(proxy.address).status == 502
    line, = proxy.access_log(1)
    assert (line["status"], line["server_status"], line["failure"]) == (502, None, "connect-refused")
    assert (line["server"], line["phases"]["first_byte_ms"]) == ("s1", None)


def test_what_twokey_answers_itself_names_no_server(start_proxy, make_origin):
    port = free_port()
    proxy = start_proxy({
        "listeners": {"web": {"address": f"127.0.0.1:{port}"}},
        "pools": {"app": {"servers": {"s1": {"address": make_origin().address}}}},
        "routes": {"hello": {"path": "/hello", "respond": {"status": 200, "body": "hi"}},
                   "gone": {"path": "/gone", "redirect": {"location": "https://x.example{path}", "status": 301}},
                   "app": {"path_prefix": "/app", "pool": "app"}}})
    for target in ("/hello", "/gone", "/nowhere"):
        get(proxy.address, target)
    lines = {line["path"]: line for line in proxy.access_log(3)}
    hello, gone, nowhere = lines["/hello"], lines["/gone"], lines["/nowhere"]
    assert (hello["route"], hello["status"], gone["route"], gone["status"]) == ("hello", 200, "gone", 301)
    assert (nowhere["route"], nowhere["status"], nowhere["failure"]) == (None, 404, "no-route")
    for line in (hello, gone, nowhere):
        assert (line["pool"], line["server"], line["server_address"], line["attempts"], line["why"]) == (None,) * 3 + (0, None)


def test_a_malformed_request_has_its_line(make_proxy, origin):
    proxy = make_proxy(origin)
    with Client(proxy.address) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n")
        assert client.response().status == 400
    line, = proxy.access_log(1)
    assert (line["status"], line["failure"], line["listener"]) == (400, "bad-request", "web")


def test_a_client_that_leaves_gets_no_status(make_proxy, make_origin):
    origin = make_origin(after(30, ok()))
    proxy = make_proxy(origin)
    client = Client(proxy.address)
    client.send(build())
    origin.wait_requests(1)
    client.reset()
    line, = proxy.access_log(1)
    assert (line["status"], line["failure"], line["server"]) == (None, "client-left", "s1")


def test_a_tunnel_has_one_line_with_the_bytes_of_both_sides(make_proxy, make_origin):
    from support.client import masked_frame
    proxy = make_proxy(make_origin(websocket()))
    with Client(proxy.address) as client:
        client.send(build("GET", "/chat", {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                                           "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}))
        assert client.head().status == 101
        for _ in range(20):
            client.send(masked_frame(b"x" * 100))
            client.take(102)
        client.send(masked_frame(b"", opcode=8))
        client.read_until_close()
    line, = proxy.access_log(1)
    assert (line["status"], line["tunnel"], line["path"]) == (101, True, "/chat")
    assert line["received_bytes"] > 2000 and line["sent_bytes"] > 2000


def test_the_client_is_the_one_a_trusted_proxy_names(make_proxy, origin):
    proxy = make_proxy(origin, listener={"trusted_proxies": ["127.0.0.0/8"]})
    get(proxy.address, headers={"X-Forwarded-For": "203.0.113.7"})
    assert proxy.access_log(1)[0]["client"].startswith("203.0.113.7")


def test_an_ipv6_client_is_written_in_brackets(make_proxy, origin):
    proxy = make_proxy(origin, listener={"address": f"[::1]:{free_port('::1')}"})
    with Client(proxy.address) as client:
        port = client.sock.getsockname()[1]
        client.request()
    assert proxy.access_log(1)[0]["client"] == f"[::1]:{port}"


def test_http_1_0_is_called_so(make_proxy, origin):
    proxy = make_proxy(origin)
    host, _, port = proxy.address.rpartition(":")
    with socket.create_connection((host, int(port))) as sock:
        sock.sendall(b"GET /old HTTP/1.0\r\nHost: a\r\n\r\n")
        while sock.recv(4096):
            pass
    assert proxy.access_log(1)[0]["protocol"] == "HTTP/1.0"


def test_a_refused_upload_and_a_refusing_origin_keep_their_lines(make_proxy, make_origin):
    """Two connections at once: nothing of one line gets into the other."""
    origin = make_origin(refuse_connections())
    proxy = make_proxy(origin, listener={"limits": {"body": "1KiB"}}, pool={"retry": {"attempts": 0}})
    with Client(proxy.address) as one, Client(proxy.address) as two:
        one.send(build("POST", "/upload", {"Content-Length": "100000"}))
        two.send(build("GET", "/plain"))
        assert one.response("POST").status == 413
        assert two.response().status in (502, 503)
    lines = {line["path"]: line for line in proxy.access_log(2)}
    assert (lines["/upload"]["status"], lines["/upload"]["failure"]) == (413, "body-too-large")
    assert lines["/plain"]["status"] in (502, 503) and lines["/plain"]["failure"]
