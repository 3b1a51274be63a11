"""/metrics shows what only control can see: servers, shares, pools, the configuration, the process; and is well-formed."""
import re
import time

from support.client import get
from support.origin import raw
from support.proxy import free_port

CHECK = {"path": "/", "interval": "200ms", "fast_interval": "100ms", "timeout": "1s", "fall": 2}


def test_the_text_is_well_formed(make_origin, make_proxy):
    proxy = make_proxy([make_origin(), make_origin()])
    for _ in range(5):
        assert get(proxy.address).status == 200
    answer = proxy.admin("GET", "/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.body.endswith("\n")
    helped, typed, seen, current = set(), {}, set(), None
    for line in answer.body.splitlines():
        if line.startswith("# HELP "):
            current = line.split(" ")[2]
            assert current not in helped, f"{current} is begun twice"
            assert len(line.split(" ", 3)[3]) > 10
            helped.add(current)
        elif line.startswith("# TYPE "):
            assert line.split(" ")[2] == current
            typed[current] = line.split(" ")[3]
        else:
            series, _, value = line.rpartition(" ")
            name = series.split("{")[0]
            assert name == current or (typed[current] == "histogram" and re.sub("_(bucket|sum|count)$", "", name) == current), line
            assert series not in seen, f"{series} stands twice"
            seen.add(series)
            float(value)
    assert helped == set(typed)
    assert all(name.endswith("_total") == (kind == "counter") for name, kind in typed.items())


def test_servers(make_origin, make_proxy):
    origin = make_origin()
    dead = f"127.0.0.1:{free_port()}"
    proxy = make_proxy({"ok": origin, "other": origin.address, "dead": dead, "drained": {"address": origin.address, "state": "drain"}},
                       pool={"health_check": CHECK, "slow_start": "0s"})
    proxy.wait_for(lambda: proxy.metrics().value("twokey_server_up", server="dead") == 0)
    proxy.wait_for(lambda: proxy.server("ok")["oper"]["health"] == "up")
    metrics = proxy.metrics()
    assert metrics.value("twokey_server_up", pool="app", server="ok", address=origin.address) == 1
    states = {labels["server"]: labels["state"] for name, labels, _ in metrics.samples if name == "twokey_server_state"}
    assert states == {"ok": "ready", "other": "ready", "dead": "down", "drained": "drain"}
    assert metrics.value("twokey_server_weight", server="ok") == 100
    assert metrics.value("twokey_server_weight", server="dead") == 0
    assert metrics.value("twokey_server_share_expected", server="ok", ref="configured") == 0.5
    assert metrics.value("twokey_server_share_expected", server="drained", ref="configured") == 0
    assert abs(metrics.value("twokey_server_share_expected", server="ok", ref="capacity") - 1 / 3) < 1e-6
    assert metrics.value("twokey_server_share_expected", server="drained", ref="capacity") == 0
    assert metrics.value("twokey_distribution_state", pool="app", ref="capacity") == -1
    assert metrics.value("twokey_pool_eligible_servers", pool="app") == 2
    assert metrics.value("twokey_pool_panic", pool="app") == 0
    for _ in range(40):
        assert get(proxy.address).status == 200
    proxy.wait_for(lambda: abs(proxy.metrics().value("twokey_server_share", server="ok") - 0.5) < 0.05)


def test_an_ejected_server_is_shown(make_origin, make_proxy):
    bad, good = make_origin(raw(b"garbage\r\n\r\n")), make_origin()
    proxy = make_proxy({"bad": bad, "good": good, "more": good.address}, pool={"ejection": {"consecutive_failures": 3}})
    proxy.wait_for(lambda: get(proxy.address) and proxy.metrics().value("twokey_server_ejected", server="bad") == 1)
    server = proxy.server("bad")
    assert server["oper"]["ejected"] is True and server["oper"]["eligible"] is False and "eject" in server["oper"]["why"]
    assert proxy.pool()["state"] == "degraded"


def test_a_panic_is_shown(make_origin, make_proxy):
    dead = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    proxy = make_proxy({"a": dead[0], "b": dead[1], "c": make_origin()}, pool={"health_check": CHECK})
    proxy.wait_for(lambda: proxy.metrics().value("twokey_pool_panic", pool="app") == 1)
    pool = proxy.pool()
    assert pool["panic"] is True and pool["state"] == "panic"
    assert pool["eligible"] == 3, "in a panic all are used"
    down = next(server for server in pool["servers"] if server["name"] == "a")
    assert down["oper"]["health"] == "down" and down["oper"]["eligible"] is True and "panic" in down["oper"]["why"]


def test_configuration_and_process(make_origin, make_proxy):
    proxy = make_proxy(make_origin())
    first = proxy.metrics()
    status = proxy.status()
    assert first.value("twokey_config_generation") == status["running"]["generation"]
    assert first.value("twokey_config_info", digest=status["running"]["digest"]) == 1
    assert first.value("twokey_build_info", version=status["version"]) == 1
    assert first.value("twokey_snapshots_alive") == 1
    assert 0 <= first.value("twokey_config_age_seconds") < 60
    assert abs(first.value("process_start_time_seconds") - time.time()) < 60
    assert first.value("process_resident_memory_bytes") > 1 << 20
    assert abs(first.value("process_open_fds") - proxy.descriptors()) <= 2
    assert first.value("process_max_fds") >= 1024
    proxy.config["pools"]["app"]["balance"] = "random"
    proxy.write_config(proxy.config)
    proxy.wait_for(lambda: proxy.metrics().value("twokey_config_drift") == 1)
    assert proxy.admin("POST", "/v1/reload").status == 200
    second = proxy.metrics()
    assert second.value("twokey_config_generation") > first.value("twokey_config_generation")
    assert second.value("twokey_config_drift") == 0
    assert second.value("process_cpu_seconds_total") >= first.value("process_cpu_seconds_total")
