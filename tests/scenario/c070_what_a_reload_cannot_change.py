"""The number of workers and the admin address need a restart; a reload says so and does the rest."""
import pytest

from support.client import get
from support.proxy import free_port


@pytest.mark.parametrize("workers", [3, "auto"])
def test_workers(make_proxy, origin, workers):
    proxy = make_proxy(origin, process={"workers": 1})
    proxy.config["process"]["workers"] = workers
    proxy.config["routes"]["new"] = {"path": "/new", "respond": {"status": 299}}
    answer = proxy.reload()
    assert answer.status == 200 and get(proxy.address, "/new").status == 299
    assert any(warning["pointer"] == "/process/workers" and "restart" in warning["message"] for warning in answer.json()["findings"]), answer.body
    assert proxy.status()["workers"] == 1
    assert any("restart" in line["message"] for line in proxy.log_events("config-finding"))


def test_the_admin_address(make_proxy, origin):
    proxy = make_proxy(origin)
    before = proxy.admin_address
    proxy.config["admin"] = {"listen": f"127.0.0.1:{free_port()}"}
    proxy.write_config(proxy.config)
    proxy.config["admin"] = {"listen": before}
    answer = proxy.admin("POST", "/v1/reload")
    assert answer.status == 200 and any(warning["pointer"] == "/admin/listen" for warning in answer.json()["findings"]), answer.body


def test_a_reload_without_a_difference_says_so(make_proxy, origin):
    proxy = make_proxy(origin)
    answer = proxy.reload()
    assert answer.status == 200 and answer.json()["changes"] == []
