"""A server that floods, or breaks the rules of the connection, is cut off and blamed; the others serve."""
import pytest
from support import h2
from support.client import Client, get
from support.h2_origin import H2Origin, h2_ok, h2_pool, h2_raw, head

OK = [(":status", "200")]
FLOODS = {  # and the budget that is used up
    "PING": (h2.ping() * 3000, "ping"),
    "SETTINGS": (h2.settings() * 3000, "settings"),
    "RST_STREAM": (h2.reset(1) * 3000, "resets"),
    "WINDOW_UPDATE": (h2.window(0, 1) * 5000, "window_update"),
    "PRIORITY": (h2.priority(1) * 5000, "priority"),
    "unknown frames": (h2.frame(0xBB) * 3000, "unknown"),
    "CONTINUATION": (h2.headers(1, b"", end_headers=False) + h2.continuation(1, b"", end=False) * 3000, "continuation"),
    "empty DATA": (head(1, OK, False) + h2.data(1) * 3000, "empty_data"),
    "a head without end": (h2.headers(1, h2.block(OK), end_headers=False)
                           + h2.continuation(1, h2.literal("x-a", "v" * 16000), end=False) * 100, "header_list"),
}
FAULTS = {
    "DATA on stream 0": h2.data(0, b"x"),
    "an odd stream of its own": head(77, OK, True),
    "a push": h2.frame(h2.PUSH_PROMISE, 4, 1, b"\0\0\0\2" + h2.block(OK)),
    "a frame too large": h2.frame(h2.DATA, 0, 1, b"x" * 20000),
    "SETTINGS of a wrong size": h2.frame(h2.SETTINGS, 0, 0, b"12345"),
    "a window too large": h2.window(0, h2.MAX_WINDOW),
    "a block that is none": h2.headers(1, b"\xff" * 20),
    "HTTP/1": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("what", [*FLOODS, *FAULTS])
def test_it_is_cut_off(make_origin, make_proxy, what):
    octets, budget = FLOODS[what] if what in FLOODS else (FAULTS[what], "protocol")
    bad = make_origin(h2_raw(octets), speaks=H2Origin)
    good = make_origin(h2_ok(b"good"), speaks=H2Origin)
    config = {"pools": {"good": {"protocol": "h2", "servers": {"g1": {"address": good.address}}}},
              "routes": {"good": {"path": "/good", "pool": "good"}}}
    proxy = make_proxy([bad], pool=h2_pool(retry={"attempts": 0}, ejection={"consecutive_failures": 0}), process={"workers": 1}, config=config)
    with Client(proxy.address) as client:
        try:
            assert client.request("GET", "/bad").status == 502
        except Exception as error:  # of an answer that had begun
            assert what == "empty DATA", error
    bad.wait_for(lambda o: not o.connections[0].open)
    assert get(proxy.address, "/good").body == b"good"
    proxy.wait_event("server-h2-violation", pool="app", server="s1", budget=budget)
    metrics = proxy.metrics()
    assert metrics.value("twokey_server_h2_violations_total", server="s1") == 1
    assert metrics.value("twokey_server_failures_total", server="s1") == 1
