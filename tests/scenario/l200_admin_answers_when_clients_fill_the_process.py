"""When clients take every connection there is, the admin listener and health checks still have descriptors."""
import os
import shutil
import stat

import pytest
from support.client import Client, build
from support.proxy import binary


@pytest.fixture
def few_descriptors(tmp_path, monkeypatch):
    """The proxy may open 700 descriptors, and no more."""
    prlimit = shutil.which("prlimit")
    wrapper = tmp_path / "twokey"
    wrapper.write_text(f'#!/bin/sh\nexec {prlimit} --nofile=700:700 {binary()} "$@"\n')
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("TWOKEY_BIN", os.fspath(wrapper))


@pytest.mark.timeout(120)
def test_admin_and_checks_go_on(few_descriptors, make_origin, make_proxy):
    origin = make_origin()
    proxy = make_proxy(origin, process={"max_connections": 20000},
                       pool={"health_check": {"path": "/", "interval": "200ms", "fast_interval": "100ms", "timeout": "1s"}})
    clients = []
    for _ in range(500):
        client = Client(proxy.address)
        client.try_send(build())
        clients.append(client)
    metrics = proxy.metrics()
    assert metrics.value("process_max_fds") == 700
    assert metrics.value("process_open_fds") < 690
    for _ in range(20):
        assert proxy.admin("GET", "/healthz").status == 200
        assert proxy.server("s1")["oper"]["health"] == "up"
    before = len(origin.requests)
    proxy.wait_for(lambda: len(origin.requests) > before, what="for a health check")
    for client in clients:
        client.close()
    proxy.wait_for(lambda: proxy.status()["connections"]["open"] == 0)
    with Client(proxy.address) as client:
        client.send(build())
        assert client.response().status == 200
