"""Modes advisory and off: conf.d rules; each reload is a numbered revision, and audited for what it is."""
import json
import os

import pytest

from support.client import get
from support.people import hash_of, make_token


def audit(proxy):
    with open(os.path.join(proxy.state_dir, "audit.jsonl")) as file:
        return [json.loads(line) for line in file]


@pytest.mark.parametrize("mode, event", [("off", "revision.imported"), ("advisory", "revision.unreviewed-reload")])
def test_a_reload_is_a_revision(make_origin, make_proxy, mode, event):
    proxy = make_proxy([make_origin()], config={"policy": {"mode": mode}})
    assert proxy.status()["mode"] == mode and proxy.status()["running"]["rev"] == 1
    proxy.config["pools"]["app"]["slow_start"] = "1s"
    assert proxy.reload().status == 200
    assert proxy.status()["running"]["rev"] == 2 and proxy.status()["boot"]["rev"] == 2
    record = audit(proxy)[-1]
    assert (record["event"], record["actor"]["person"], record["data"]["rev"]) == (event, "local", 2)
    assert proxy.reload().status == 200
    assert proxy.status()["running"]["rev"] == 2, "the same files are the same revision"
    alerts = [alert["name"] for alert in proxy.admin_get("/v1/alerts")["alerts"]]
    assert ("UnreviewedReload" in alerts) == (mode == "advisory")


@pytest.mark.parametrize("mode", ["off", "advisory"])
def test_a_start_runs_the_files(make_origin, make_proxy, mode):
    proxy = make_proxy([make_origin()], config={"policy": {"mode": mode}})
    proxy.stop()
    proxy.config["pools"]["app"]["slow_start"] = "1s"
    proxy.write_config(proxy.config)
    proxy.start()
    assert proxy.admin_get("/v1/config/pools/app")["slow_start"] == "1s"
    assert proxy.status()["running"]["rev"] == 2 and proxy.status()["drift"] is False


def test_a_weaker_mode_stays_out(make_origin, make_proxy):
    proxy = make_proxy([make_origin()], config={"policy": {"mode": "advisory"}})
    proxy.config["policy"]["mode"] = "off"
    said = proxy.reload()
    assert said.status == 200 and any("stricter" in finding["message"] for finding in said.json()["findings"]), said.body
    assert proxy.status()["mode"] == "advisory"
    proxy.stop()
    proxy.start()
    assert proxy.status()["mode"] == "advisory"
    proxy.wait_event("mode-kept")


def test_a_stricter_mode_comes_with_the_files(make_origin, make_proxy):
    """From then on the store rules."""
    proxy = make_proxy([make_origin()])
    tokens = {name: make_token(name) for name in ("ann", "bob", "cat", "dan")}
    roles = ["author", "operator", "approver"]
    proxy.config["people"] = {name: {"roles": roles, "tokens": [{"id": "t", "hash": hash_of(token)}]} for name, token in tokens.items()}
    proxy.config["policy"] = {"mode": "enforced"}
    assert proxy.reload().status == 200
    headers = {"Authorization": f"Bearer {tokens['ann']}"}
    assert proxy.admin("GET", "/v1/status").status == 401
    assert proxy.admin("GET", "/v1/status", headers=headers).json()["mode"] == "enforced"
    proxy.config["pools"]["app"]["slow_start"] = "1s"
    proxy.write_config(proxy.config)
    assert proxy.admin("POST", "/v1/reload", headers=headers).status == 202
    assert "slow_start" not in proxy.admin("GET", "/v1/config/pools/app", headers=headers).json()
    assert get(proxy.address).status == 200


def test_a_change_over_the_api_needs_nobody_else(make_origin, make_proxy):
    """Mode off: the steps are the same, nobody is asked."""
    proxy = make_proxy([make_origin()], config={"policy": {"mode": "off", "confirm": {"min_bake": "0s"}}})
    made = proxy.admin("POST", "/v1/changes?submit=true",
                       {"title": "t", "reason": "r", "patch": {"pools": {"app": {"slow_start": "1s"}}}})
    assert made.status == 201 and made.json()["state"] == "approved", made.body
    path = f"/v1/changes/{made.json()['id']}"
    assert proxy.admin("POST", path + "/apply").status == 200
    refused = proxy.admin("POST", "/v1/reload")
    assert refused.status == 409 and refused.json()["type"].endswith("/confirm-pending"), refused.body
    assert proxy.admin("POST", path + "/confirm").json()["state"] == "applied"
    assert proxy.status()["drift"] is True, "the files do not say it"
