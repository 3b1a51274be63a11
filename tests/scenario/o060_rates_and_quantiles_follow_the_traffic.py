"""What /v1/status and /v1/pools say of the last seconds, against the requests that were made."""
import time

from support.client import Client, get
from support.origin import after, named


def test_rates_and_quantiles_are_those_of_the_traffic(make_proxy, make_origin):
    fast, slow = make_origin(named("fast")), make_origin(after(0.1, named("slow")))
    proxy = make_proxy([fast, slow], process={"workers": 2})
    for _ in range(40):
        assert get(proxy.address).status == 200
    servers = proxy.wait_for(lambda: (found := {s["name"]: s["now"] for s in proxy.pool()["servers"]})
                             and found["s2"]["latency_ms"]["p50"] and found["s1"]["latency_ms"]["p50"] and found)
    assert 95 <= servers["s2"]["latency_ms"]["p50"] <= servers["s2"]["latency_ms"]["p99"] < 2000
    assert servers["s1"]["latency_ms"]["p50"] < 95
    assert 40 <= servers["s1"]["share_percent"] <= 60
    assert abs(servers["s1"]["share_percent"] + servers["s2"]["share_percent"] - 100) < 0.2
    assert servers["s1"]["errors_per_second"] == 0
    assert 0 < proxy.status()["requests_per_second"] <= 40


def test_the_rate_is_that_of_the_last_ten_seconds(make_proxy, origin):
    proxy = make_proxy(origin, process={"workers": 1})
    began, sent = time.monotonic(), 0
    with Client(proxy.address) as client:
        while time.monotonic() - began < 4:
            client.request()
            sent += 1
            time.sleep(0.02)
    rate = sent / (time.monotonic() - began)
    proxy.wait_for(lambda: 0.5 * rate < proxy.status()["requests_per_second"] < 1.5 * rate)


def test_errors_have_a_rate_of_their_own(make_proxy, make_origin):
    from support.origin import ok
    proxy = make_proxy(make_origin(ok(b"no", status=503)), pool={"ejection": {"consecutive_failures": 0}})
    for _ in range(20):
        assert get(proxy.address).status == 503
    proxy.wait_for(lambda: proxy.server("s1")["now"]["errors_per_second"] > 0)
