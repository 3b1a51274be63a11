"""The thread that writes the access log hangs, as on a disk that does not answer: alerts are sent all the same."""
import json

import pytest

from support.hang import hanging
from support.monitoring import wait_until
from support.origin import ok


def told(hook):
    return {(alert["name"], alert["status"]) for request in hook.requests for alert in json.loads(request.body)}


@pytest.mark.waits
@pytest.mark.timeout(150)
def test_alerts_are_sent_while_the_access_log_hangs(make_enforced, make_origin, tmp_path):
    hook, origin = make_origin(ok()), make_origin()
    proxy = make_enforced([origin], pool={"health_check": {"interval": "1s", "fall": 1}}, config={
        "observe": {"access_log": {"path": str(tmp_path / "log")}, "alerts": {"webhook": [f"http://{hook.address}/"]}}})
    proxy.wait_for(lambda: proxy.server("s1")["oper"]["health"] == "up")
    hook.wait_requests(1)
    with hanging(proxy.pid, "observer"):
        origin.stop()
        wait_until(lambda: ("PoolDown", "raised") in told(hook), "what began meanwhile is told")
        wait_until(lambda: ("ObserverSilent", "raised") in told(hook), "the disk is told of")
        assert proxy.metrics().value("twokey_alert_notifications_total", outcome="delivered") >= 3
