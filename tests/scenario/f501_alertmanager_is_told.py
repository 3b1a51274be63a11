"""A real Alertmanager gets each alert with its labels and annotations, and its end when it is over."""
import os
import socket
import subprocess

import pytest

from support.monitoring import Alertmanager, wait_until
from support.origin import ok
from support.proxy import free_port

pytestmark = pytest.mark.waits
NAME = "UnreviewedConfiguration"  # stands from the start, until one change has gone the whole way


@pytest.mark.timeout(150)
def test_it_gets_alerts_and_their_ends(make_enforced, make_origin):
    with Alertmanager() as am, Alertmanager() as other:
        nobody = f"http://127.0.0.1:{free_port()}"
        proxy = make_enforced([make_origin()], policy={"confirm": {"deadline": "24s", "min_bake": "0s"}}, config={
            "observe": {"alerts": {"alertmanager": [nobody, am.url, other.url + "/"], "runbooks": "https://wiki/"}}})
        alert = am.wait_alert(NAME)
        port = proxy.admin_address.split(":")[1]
        cluster = alert["labels"]["cluster"]
        assert alert["labels"] == {"alertname": NAME, "severity": "ticket", "cluster": cluster,
                                   "instance": f"{socket.gethostname()}:{port}"}
        told = proxy.as_("ann").get("/v1/alerts").json()["alerts"][0]
        assert alert["annotations"] == {"summary": told["summary"], "description": told["description"],
                                        "runbook_url": "https://wiki/first-day.md"}
        assert alert["startsAt"] == told["since"] and alert["status"]["state"] == "active"
        assert alert["generatorURL"] == f"http://{proxy.admin_address}/v1/alerts"
        other.wait_alert(NAME)  # each of them is told, though one is dead
        assert_undelivered(proxy, nobody)

        # what waits for its confirmation names the change, and what takes it back
        ann, bob = proxy.as_("ann"), proxy.as_("bob")
        change = bob.approve(ann.submit({"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}))
        assert bob.get(f"/v1/changes/{change['id']}/bound").json()["cluster"] == cluster
        ann.apply(change)
        waiting = am.wait_alert("ConfirmationWaiting")
        assert waiting["labels"]["change"] == change["id"] and waiting["labels"]["severity"] == "warning"
        said = waiting["annotations"]
        assert (said["change"], said["author"], said["approvers"]) == (change["id"], "ann", "bob")
        assert said["suggested_action"].endswith(f"/v1/changes/{change['id']}/cancel") and said["revision"] == "2"
        done = subprocess.run(["sh", "-c", said["suggested_action"]], capture_output=True, text=True, timeout=60, check=False,
                              env={"PATH": os.environ["PATH"], "TWOKEY_TOKEN": proxy.tokens["ann"]})
        assert '"rolled_back"' in done.stdout, done.stdout + done.stderr
        am.wait_no_alert("ConfirmationWaiting")

        proxy.run_change({"pools": {"app": {"servers": {"s1": {"weight": 60}}}}})
        am.wait_no_alert(NAME)
        other.wait_no_alert(NAME)


def assert_undelivered(proxy, url):
    proxy.wait_event("alerts-undelivered", receiver="alertmanager " + url)
    wait_until(lambda: proxy.metrics().value("twokey_alert_notifications_total", outcome="failed",
                                             receiver="alertmanager " + url), "failures are counted")
    assert proxy.metrics().value("twokey_alert_notifications_total", outcome="delivered",
                                 receiver="alertmanager " + url) == 0


@pytest.mark.timeout(150)
def test_what_came_and_went_while_it_was_away_is_told(make_enforced, make_origin):
    port = free_port()
    proxy = make_enforced([make_origin(ok())], config={
        "observe": {"alerts": {"alertmanager": [f"http://127.0.0.1:{port}"]}}})
    proxy.wait_event("alerts-undelivered")
    raised = proxy.wait_event("alert-raised", alert="AlertsUndeliverable", timeout=90)
    assert raised["summary"] == "alerts do not reach 1 of 1 receivers"
    with Alertmanager(port) as am:
        said = am.wait_alert("AlertsUndeliverable")["annotations"]["description"]
        assert said.startswith(f"alertmanager http://127.0.0.1:{port}: "), said
        am.wait_alert(NAME)
        proxy.wait_event("alerts-delivered", receiver="alertmanager " + am.url)
        proxy.run_change({"pools": {"app": {"servers": {"s1": {"weight": 60}}}}})
        am.wait_no_alert(NAME)
