"""A real Prometheus scrapes /metrics, evaluates the shipped rules without a fault, and a rule of them fires."""
import os
import re

import pytest

from support.client import get
from support.monitoring import Alertmanager, Prometheus, wait_until
from support.origin import ok

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CHECKS = {"health_check": {"path": "/", "interval": "200ms", "fast_interval": "100ms", "fall": 1, "rise": 1}}


def shipped_rules():
    """With short waits, so that the test need not."""
    with open(os.path.join(ROOT, "deploy/prometheus/rules.yml"), encoding="utf-8") as file:
        return re.sub(r"(?m)^(\s*for): \d+\w$", r"\1: 1s", file.read())


@pytest.mark.timeout(150)
def test_it_does(make_proxy, make_origin):
    origins = [make_origin(ok()), make_origin(ok())]
    proxy = make_proxy(origins, pool=CHECKS)
    for _ in range(20):
        assert get(proxy.address).status == 200
    with Alertmanager() as am, Prometheus([proxy.admin_address], shipped_rules(), [am.url]) as prometheus:
        wait_until(lambda: prometheus.query('up{job="twokey"} == 1'), "it is up")
        target = prometheus.target()
        assert target["health"] == "up" and not target["lastError"], target

        wait_until(lambda: all(rule["health"] == "ok" for rule in prometheus.rules()), "every rule was evaluated")
        faults = [(rule["name"], rule.get("lastError")) for rule in prometheus.rules() if rule.get("lastError")]
        assert not faults, faults
        # what it has is what the program shows
        for name in {name for name, _, _ in proxy.metrics().samples if name.startswith("twokey_")}:
            wait_until(lambda: prometheus.query(f"count({name})"), name)
        assert float(prometheus.query("sum(twokey_pool_requests_total)")[0]["value"][1]) == 20

        for one in origins:
            one.stop()
        wait_until(lambda: prometheus.query('ALERTS{alertname="ServerDown", alertstate="firing"}'), "a rule fires")
        alert = am.wait_alert("ServerDown")
        assert alert["labels"]["pool"] == "app" and "fails its health checks" in alert["annotations"]["summary"]
