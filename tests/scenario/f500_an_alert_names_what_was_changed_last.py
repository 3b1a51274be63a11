"""A change takes a pool down: the alert names it, its author and approver, and the command that reverts it does."""
import subprocess

from support.client import get
from support.origin import named
from support.proxy import free_port

CHECKS = {"health_check": {"path": "/", "interval": "200ms", "fast_interval": "100ms", "fall": 1, "rise": 1}}


def alert(proxy, name):
    return next((one for one in proxy.as_("ann").get("/v1/alerts").json()["alerts"] if one["name"] == name), None)


def run(command, token):
    """As an operator would: in a shell, his token in TWOKEY_TOKEN."""
    return subprocess.run(["sh", "-c", command.replace("curl ", "curl -sf ", 1)], capture_output=True, text=True, timeout=60,
                          env={"PATH": "/usr/bin:/bin", "TWOKEY_TOKEN": token})


def lead_nowhere(proxy):
    """A change by ann and bob to an address where nobody listens; it is applied."""
    ann, bob = proxy.as_("ann"), proxy.as_("bob")
    change = ann.submit({"pools": {"app": {"servers": {"s1": {"address": f"127.0.0.1:{free_port()}"}}}}})
    change = bob.approve(change)
    if change["state"] == "pending":
        proxy.as_("cat").approve(change)
    ann.apply(change)
    return change


def test_it_is_named_and_cancelled_then_rolled_back(make_enforced, make_origin):
    proxy = make_enforced([make_origin(named("s1"))], pool=CHECKS)
    proxy.wait_for(lambda: proxy.as_("ann").get("/v1/pools/app").json()["state"] == "ok")
    assert alert(proxy, "PoolDown") is None

    change = lead_nowhere(proxy)
    proxy.wait_for(lambda: alert(proxy, "PoolDown") is not None, timeout=40)
    told = alert(proxy, "PoolDown")
    assert told["severity"] == "page" and told["pool"] == "app" and "server" not in told
    assert told["change"] == change["id"] and told["author"] == "ann" and "bob" in told["approvers"]
    assert told["revert"].endswith(f"/v1/changes/{change['id']}/cancel")
    assert told["runbook"] == "runbooks/everything-answers-503.md"
    table = proxy.as_("ann").get("/v1/alerts", headers={"Accept": "text/plain"}).body
    assert f"revision 2, change {change['id']} by ann, approved by bob" in table and told["revert"] in table, table
    raised = proxy.wait_event("alert-raised", alert="PoolDown", pool="app")
    assert raised["change"] == change["id"] and raised["revert"] == told["revert"]
    metrics = proxy.metrics()
    assert metrics.value("twokey_alerts", name="PoolDown", severity="page") == 1
    assert metrics.value("twokey_alerts", name="PoolPanic", severity="page") == 0

    proxy.as_("ann").confirm(change)
    told = alert(proxy, "PoolDown")
    assert told["change"] == change["id"] and "/v1/rollback" in told["revert"]
    done = run(told["revert"], proxy.tokens["ann"])
    assert done.returncode == 0, done.stdout + done.stderr
    proxy.wait_for(lambda: proxy.as_("ann").get("/v1/pools/app").json()["state"] == "ok")
    told = alert(proxy, "PoolDown")
    assert told is None or "revert" not in told  # it stays a minute, so that what flaps is one alert


def test_its_command_cancels_what_waits(make_enforced, make_origin):
    proxy = make_enforced([make_origin(named("s1"))], pool=CHECKS)
    change = lead_nowhere(proxy)
    proxy.wait_for(lambda: alert(proxy, "PoolDown") is not None, timeout=40)
    done = run(alert(proxy, "PoolDown")["revert"], proxy.tokens["bob"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert proxy.as_("ann").change(change)["state"] == "rolled_back"


def test_a_reload_is_named_by_its_revision(make_proxy, make_origin):
    """Mode off: nobody approved it, but it can be taken back all the same."""
    origin = make_origin(named("s1"))
    proxy = make_proxy([origin], pool=CHECKS)
    proxy.wait_for(lambda: proxy.pool()["state"] == "ok")
    proxy.config["pools"]["app"]["servers"]["s1"]["address"] = f"127.0.0.1:{free_port()}"
    proxy.reload(proxy.config)

    def told():
        return next((one for one in proxy.admin_get("/v1/alerts")["alerts"] if one["name"] == "PoolDown"), None)

    proxy.wait_for(told, timeout=40)
    assert told()["revision"] == 2 and "change" not in told() and "/v1/rollback" in told()["revert"]
    done = run(told()["revert"], "")
    assert done.returncode == 0, done.stdout + done.stderr
    assert get(proxy.address).body == b"s1"
