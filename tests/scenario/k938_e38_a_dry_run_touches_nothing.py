"""E-38: a dry run, and a draft, bind no address, open no file and call nobody."""
import os
import socket

from support.proxy import free_port


def test_nothing_is_touched(make_origin, make_enforced, tmp_path):
    origin, port = make_origin(), free_port()
    proxy = make_enforced([make_origin()])
    ann, log = proxy.as_("ann"), tmp_path / "other.log"
    patch = {"listeners": {"second": {"address": f"127.0.0.1:{port}"}},
             "observe": {"access_log": {"path": str(log)}},
             "pools": {"new": {"servers": {"n1": {"address": origin.address}},
                               "health_check": {"path": "/", "interval": "100ms", "timeout": "100ms"}}}}
    body, descriptors = {"title": "x", "reason": "y", "patch": patch}, proxy.descriptors()
    records = proxy.as_("dan").get("/v1/audit/head").json()["seq"]
    for _ in range(3):
        answer = ann.post("/v1/changes?dry_run=true", body)
        assert answer.status == 200, answer.body
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert not os.path.exists(log) and proxy.descriptors() <= descriptors + 1
    assert ann.get("/v1/changes").json()["changes"] == []
    assert proxy.as_("dan").get("/v1/audit/head").json()["seq"] == records
    assert ann.post("/v1/changes?submit=true", body).status == 201  # nor does a change that only waits
    origin.settle()
    assert origin.connections == [] and not os.path.exists(log)
