"""The gate looks at a forced change like at any other, in its bake too: a new server that is down takes it back."""
import threading

import pytest
from support.proxy import free_port

pytestmark = pytest.mark.waits


def test_a_forced_server_that_is_down(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()], pool={"health_check": {"interval": "1s", "path": "/"}},
                          policy={"confirm": {"min_bake": "5m", "deadline": "10m"}})
    dan = proxy.as_("dan", on_socket=True)
    change = proxy.as_("ann").submit({"pools": {"app": {"servers": {"s3": {"address": f"127.0.0.1:{free_port()}"}}}}})
    assert change["state"] == "pending"
    assert dan.post("/v1/breakglass", {"reason": "more load than two can take", "incident": "INC-1"}).status < 300
    dan.apply(change)
    assert proxy.as_("ann").change(change)["forced"] is True
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(
        proxy.as_("ann").post(f"/v1/changes/{change['id']}/confirm?wait=5m", timeout=150)))
    waiting.start()
    proxy.wait_for(lambda: proxy.as_("ann").change(change)["state"] != "confirming", timeout=90)
    ended = proxy.as_("ann").change(change)
    assert ended["state"] == "rolled_back" and "health: pool app: 2 of 3 servers healthy" in ended["ended_why"], ended["ended_why"]
    proxy.wait_for(lambda: [server["name"] for server in proxy.pool()["servers"]] == ["s1", "s2"])
    waiting.join(60)
    assert answers[0].status == 409 and answers[0].json()["type"].endswith("/state-conflict"), "who waited to confirm is told"
