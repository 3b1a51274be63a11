"""When the process has no descriptor left, neither checks nor requests say anything of a server."""
import resource
import time

from support.client import Client, build
from support.health import CHECK, Switch, checked


def test_no_server_is_down_or_ejected(make_origin, make_proxy):
    switch = Switch()
    origins = [make_origin(checked("s1", switch)), make_origin(checked("s2", Switch()))]
    proxy = make_proxy(origins, pool={"health_check": CHECK, "keepalive": {"idle_per_worker": 0},
                                      "ejection": {"consecutive_failures": 2, "base_time": "60s"}})
    proxy.wait_event("server-up", server="s1")
    proxy.wait_event("server-up", server="s2")
    clients = [Client(proxy.address) for _ in range(6)]
    assert {client.request().status for client in clients} == {200}
    before = resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, (3, before[1]))
    asked = len(switch.times)
    for client in clients:
        client.send(build())
    assert {client.response().status for client in clients} == {503}
    time.sleep(1.5)  # many checks that cannot even begin
    assert len(switch.times) <= asked + 1
    resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, before)
    switch.wait_asked(len(switch.times) + 3)
    with Client(proxy.address) as client:
        assert client.request().status == 200
    assert not proxy.log_events("server-down") and not proxy.log_events("server-ejected")
    assert [proxy.server(name)["oper"]["health"] for name in ("s1", "s2")] == ["up", "up"]
