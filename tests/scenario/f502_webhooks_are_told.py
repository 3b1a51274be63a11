"""A webhook gets each move of an alert once, as JSON; one that refuses gets it again; a reload changes who is told."""
import json

from support.monitoring import wait_until
from support.origin import ok, raw

NAME = "UnreviewedConfiguration"


def told(origin):
    return [alert for request in origin.requests for alert in json.loads(request.body)]


def receivers(proxy, count):
    """The labels of the metric, a list: once the last second has been told."""
    def seen():
        found = [labels["receiver"] for name, labels, _ in proxy.metrics().samples
                 if name == "twokey_alert_notifications_total"]
        return len(found) >= count and found
    return wait_until(seen, f"{count} samples")


def url(origin, path="/hook?key=1"):
    return f"http://{origin.address}{path}"


def test_each_move_is_told_once(make_enforced, make_origin):
    hook = make_origin(ok(b"", status=204))
    proxy = make_enforced([make_origin()], config={"observe": {"alerts": {"webhook": [url(hook)]}}})
    hook.wait_requests(1)
    request = hook.requests[0]
    assert (request.method, request.target) == ("POST", "/hook?key=1")
    assert request.header("content-type") == "application/json"
    alert, = told(hook)
    shown = proxy.as_("ann").get("/v1/alerts").json()["alerts"][0]
    assert alert.pop("status") == "raised" and alert.pop("cluster") and alert.pop("instance")
    assert alert == shown and alert["name"] == NAME
    # nothing is said again: what comes next is the end
    proxy.run_change({"pools": {"app": {"servers": {"s1": {"weight": 60}}}}})
    hook.wait_requests(2)
    assert [(one["name"], one["status"]) for one in told(hook)[1:]] == [(NAME, "over")]
    assert told(hook)[1]["ended"] >= alert["since"]
    assert proxy.metrics().value("twokey_alert_notifications_total", outcome="failed") == 0
    # the metric's label has no path: it may be a secret
    assert set(receivers(proxy, 2)) == {f"webhook http://{hook.address}"}


def test_a_refusal_is_tried_again(make_enforced, make_origin):
    refusing = make_origin([ok(status=500), raw(b"HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n"), ok()])
    proxy = make_enforced([make_origin()], config={"observe": {"alerts": {"webhook": [url(refusing)]}}})
    refusing.wait_requests(3)
    assert [request.target for request in refusing.requests] == ["/hook?key=1"] * 3  # it is not led elsewhere
    assert len({request.body for request in refusing.requests}) == 1
    assert proxy.wait_event("alerts-undelivered")["why"] == "it answered 500"
    proxy.wait_event("alerts-delivered")
    wait_until(lambda: proxy.metrics().value("twokey_alert_notifications_total", outcome="failed") == 2, "two have failed")


def test_a_reload_changes_who_is_told(make_proxy, make_origin):
    one, two = make_origin(ok()), make_origin(ok())
    alerts = {"observe": {"alerts": {"webhook": [url(one)]}}}
    proxy = make_proxy([make_origin()], config=alerts)
    receivers(proxy, 2)
    proxy.config["observe"]["alerts"]["webhook"] = [url(two), url(two, "/other")]
    proxy.reload(proxy.config)
    drift = dict(proxy.config, process={"shutdown_timeout": "7s"})
    proxy.write_config(drift)  # not reloaded: an alert
    wait_until(lambda: len(told(two)) >= 2, "both are told of the drift")
    assert {request.target for request in two.requests} == {"/hook?key=1", "/other"}
    assert {alert["name"] for alert in told(two)} == {"Drift"}
    assert not one.requests
    labels = receivers(proxy, 6)
    assert len(labels) == 2 * len(set(labels)) == 6, labels  # each with two outcomes, none twice
