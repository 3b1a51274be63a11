"""Metrics against the requests that were made, summed over the workers."""
import re
import shutil
import subprocess

import pytest
from support.client import Client, build, get
from support.origin import after, ok, stall
from support.proxy import free_port


def wait_value(proxy, wanted, name, **labels):
    proxy.wait_for(lambda: proxy.metrics().value(name, **labels) == wanted, what=f"for {name} {labels} {wanted}")


@pytest.mark.race
def test_each_scope_counts_each_request_once(make_proxy, make_origin):
    one, two = make_origin(ok(b"1")), make_origin(ok(b"2", status=404))
    proxy = make_proxy([one, two], process={"workers": 4})
    for _ in range(40):
        get(proxy.address)
    wait_value(proxy, 40, "twokey_listener_responses_total", listener="web")
    metrics = proxy.metrics()
    assert metrics.value("twokey_listener_connections_total", listener="web") == 40
    for scope, name in (("listener", "web"), ("route", "everything"), ("pool", "app")):
        assert metrics.value(f"twokey_{scope}_requests_total", **{scope: name}) == 40
        assert metrics.value(f"twokey_{scope}_responses_total", **{scope: name, "code_class": "2xx"}) == len(one.requests)
        assert metrics.value(f"twokey_{scope}_responses_total", **{scope: name, "code_class": "4xx"}) == len(two.requests)
    assert metrics.value("twokey_pool_picked_total", pool="app") == 40
    assert metrics.value("twokey_pool_failures_total", pool="app") == 0
    for name, origin in (("s1", one), ("s2", two)):
        assert metrics.value("twokey_server_requests_total", pool="app", server=name) == len(origin.requests)
        assert metrics.value("twokey_server_responses_total", server=name) == len(origin.requests)


def test_a_histogram_holds_each_request_and_its_time(make_proxy, make_origin):
    proxy = make_proxy(make_origin(after(0.03, ok())))
    for _ in range(10):
        get(proxy.address)
    wait_value(proxy, 10, "twokey_server_latency_seconds_count", server="s1")
    metrics = proxy.metrics()
    for scope, name in (("route", "everything"), ("pool", "app"), ("server", "s1")):
        labels = {scope: name}
        assert metrics.value(f"twokey_{scope}_latency_seconds_count", **labels) == 10
        assert metrics.value(f"twokey_{scope}_latency_seconds_bucket", le="+Inf", **labels) == 10
        assert metrics.value(f"twokey_{scope}_latency_seconds_bucket", le="0.016384", **labels) == 0
        assert 0.3 <= metrics.value(f"twokey_{scope}_latency_seconds_sum", **labels) < 10
    edges = [(float(labels["le"]), value) for key, labels, value in metrics.samples
             if key == "twokey_route_latency_seconds_bucket" and labels["route"] == "everything"]
    assert edges == sorted(edges) and [value for _, value in edges] == sorted(value for _, value in edges)


def test_bytes_are_those_of_the_wire(make_proxy, make_origin):
    origin = make_origin(ok(b"y" * 5000))
    proxy = make_proxy(origin, process={"workers": 1})
    request = build("POST", "/", None, b"x" * 3000)
    with Client(proxy.address) as client:
        for _ in range(5):
            client.send(request)
            assert client.response().body == b"y" * 5000
    wait_value(proxy, 5 * len(request), "twokey_listener_received_bytes_total")
    metrics = proxy.metrics()
    assert 25000 < metrics.value("twokey_listener_sent_bytes_total") < 25000 + 5 * 1000
    assert metrics.value("twokey_server_sent_bytes_total") == sum(len(c.raw) for c in origin.connections)
    assert 25000 < metrics.value("twokey_server_received_bytes_total") < 25000 + 5 * 1000
    assert metrics.value("twokey_server_connections_total") == 1
    assert metrics.value("twokey_server_connections_reused_total") == 4


def test_gauges_go_up_and_come_back(make_proxy, make_origin):
    origin = make_origin(stall())
    proxy = make_proxy(origin, process={"workers": 3})
    idle = [Client(proxy.address) for _ in range(3)]
    busy = [Client(proxy.address) for _ in range(5)]
    for client in busy:
        client.send(build())
    origin.wait_requests(5)
    wait_value(proxy, 8, "twokey_listener_connections_open")
    wait_value(proxy, 5, "twokey_pool_in_flight")
    wait_value(proxy, 5, "twokey_server_in_flight")
    for client in busy + idle:
        client.reset()
    for name in ("twokey_listener_connections_open", "twokey_listener_connections_idle", "twokey_pool_in_flight",
                 "twokey_server_in_flight", "twokey_pool_queue_length"):
        wait_value(proxy, 0, name)


def test_idle_connections_are_counted_on_both_sides(make_proxy, origin):
    proxy = make_proxy(origin, process={"workers": 1})
    with Client(proxy.address) as client:
        client.request()
        wait_value(proxy, 1, "twokey_listener_connections_idle")
        wait_value(proxy, 1, "twokey_server_connections_idle")
    wait_value(proxy, 0, "twokey_listener_connections_idle")


def test_failures_are_counted_by_their_word(make_proxy):
    proxy = make_proxy(f"127.0.0.1:{free_port()}", pool={"retry": {"attempts": 0}, "ejection": {"consecutive_failures": 0}})
    for _ in range(3):
        assert get(proxy.address).status == 502
    wait_value(proxy, 3, "twokey_pool_failures_total", pool="app", reason="connect-refused")
    metrics = proxy.metrics()
    assert metrics.value("twokey_pool_failures_total") == 3
    assert metrics.value("twokey_listener_failures_total", reason="connect-refused") == 3
    assert metrics.value("twokey_server_failures_total", server="s1") == 3
    assert metrics.value("twokey_pool_responses_total", code_class="5xx") == 3


def test_malformed_requests_are_counted_at_the_listener(make_proxy, origin):
    proxy = make_proxy(origin)
    for _ in range(4):
        with Client(proxy.address) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
            assert client.response().status == 400
    wait_value(proxy, 4, "twokey_listener_bad_requests_total", listener="web")
    metrics = proxy.metrics()
    assert metrics.value("twokey_listener_responses_total", code_class="4xx") == 4
    assert metrics.value("twokey_listener_failures_total", listener="web", reason="bad-request") == 4
    assert metrics.value("twokey_listener_failures_total") == 4


def test_a_reload_keeps_what_was_counted(make_proxy, origin):
    proxy = make_proxy(origin)
    for _ in range(7):
        get(proxy.address)
    wait_value(proxy, 7, "twokey_server_requests_total")
    config = dict(proxy.config)
    config["routes"] = {"everything": {"pool": "app"}, "more": {"path_prefix": "/more", "pool": "app"}}
    assert proxy.reload(config).status == 200
    for _ in range(3):
        get(proxy.address, "/more")
    wait_value(proxy, 10, "twokey_server_requests_total", server="s1")
    metrics = proxy.metrics()
    assert metrics.value("twokey_route_requests_total", route="everything") == 7
    assert metrics.value("twokey_route_requests_total", route="more") == 3


def test_what_is_configured_shows_zeros_before_the_first_request(make_proxy, origin):
    text = make_proxy(origin).metrics().text
    for line in ('twokey_listener_requests_total{listener="web"} 0', 'twokey_route_requests_total{route="everything"} 0',
                 'twokey_pool_failures_total{pool="app",reason="connect-timeout"} 0',
                 'twokey_server_requests_total{pool="app",server="s1"} 0'):
        assert line in text.split("\n")


def test_each_family_stands_together_and_promtool_agrees(make_proxy, origin):
    proxy = make_proxy(origin)
    get(proxy.address)
    text = proxy.metrics().text
    families = [re.sub(r"_(bucket|sum|count)$", "", re.match(r"\w+", line).group()) if "latency" in line
                else re.match(r"\w+", line).group() for line in text.split("\n") if line and line[0] != "#"]
    order = [name for i, name in enumerate(families) if i == 0 or families[i - 1] != name]
    assert len(order) == len(set(order))
    if shutil.which("promtool") is None:
        pytest.skip("no promtool here: the format was checked by the reader above")
    said = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
