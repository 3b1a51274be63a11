"""The gate looks at a forced change like at any other: a new server that is down takes it back."""
from support.proxy import free_port


def test_a_forced_server_that_is_down(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()], pool={"health_check": {"interval": "1s", "path": "/"}})
    dan = proxy.as_("dan", on_socket=True)
    change = proxy.as_("ann").submit({"pools": {"app": {"servers": {"s3": {"address": f"127.0.0.1:{free_port()}"}}}}})
    assert change["state"] == "pending"
    assert dan.post("/v1/breakglass", {"reason": "more load than two can take", "incident": "INC-1"}).status < 300
    dan.apply(change)
    assert proxy.as_("ann").change(change)["forced"] is True
    proxy.wait_for(lambda: proxy.as_("ann").change(change)["state"] != "confirming", timeout=90)
    ended = proxy.as_("ann").change(change)
    assert ended["state"] == "rolled_back" and "health: pool app: 2 of 3 servers healthy" in ended["ended_why"], ended["ended_why"]
    proxy.wait_for(lambda: [server["name"] for server in proxy.pool()["servers"]] == ["s1", "s2"])
