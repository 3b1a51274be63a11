"""An admin listener that is not on loopback has TLS and people, and never speaks clear text, whatever runs by then."""
import json
import subprocess

import pytest
from support.client import Client, build
from support.proxy import binary, free_port, merge
from support.tls import admin_tls, client_context


@pytest.fixture
def admin(authority):
    return authority.certificate("admin", "localhost", ip="127.0.0.1")


def exposed(make_enforced, origin, authority, admin):
    return make_enforced([origin], **admin_tls(authority, admin, listen=f"0.0.0.0:{free_port()}"))


def check(proxy, patch):
    """The blocking findings of a configuration, by pointer."""
    kept = json.loads(json.dumps(proxy.config))
    proxy.write_config(merge(json.loads(json.dumps(kept)), patch))
    done = subprocess.run([binary(), "check", "--config", proxy.conf_dir, "--format", "json"], capture_output=True, check=False)
    proxy.write_config(kept)
    return {(finding["rule"], finding["pointer"]) for finding in json.loads(done.stdout)["findings"] if finding["severity"] == "block"}


def test_it_serves_who_comes_over_tls_only(make_enforced, origin, authority, admin):
    proxy = exposed(make_enforced, origin, authority, admin)
    assert proxy.as_("ann").get("/v1/whoami").json()["person"] == "ann"
    with Client(proxy.admin_address.replace("0.0.0.0", "127.0.0.1")) as client:
        client.send(build("GET", "/healthz", host="localhost"))
        assert client.response().status == 400


def run_as_printed(command, proxy, authority):
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=True,
                          env={"PATH": "/usr/bin:/bin", "CURL_CA_BUNDLE": authority.cert_file, "TWOKEY_TOKEN": proxy.tokens["ann"]}).stdout


def test_commands_that_it_prints_work_as_they_are(make_enforced, origin, authority, admin):
    proxy = exposed(make_enforced, origin, authority, admin)
    ann = proxy.as_("ann")
    change = ann.submit({"pools": {"app": {"health_check": {"path": "/", "interval": "200ms", "fast_interval": "100ms", "fall": 1},
                                           "servers": {"s1": {"address": f"127.0.0.1:{free_port()}"}}}}})
    change = proxy.as_("bob").approve(change)
    if change["state"] == "pending":
        proxy.as_("cat").approve(change)
    command = ann.apply(change)["command"]
    assert "0.0.0.0" not in command and json.loads(run_as_printed(command, proxy, authority))["state"] == "applied"

    def down():
        return next((one for one in ann.get("/v1/alerts").json()["alerts"] if one["name"] == "PoolDown"), None)
    proxy.wait_for(lambda: down() is not None, timeout=40)
    assert json.loads(run_as_printed(down()["revert"], proxy, authority))["to"] == 1
    assert f"https://127.0.0.1:{proxy.admin_address.rpartition(':')[2]}/v1/status" in ann.get("/", headers={"Accept": "text/plain"}).body


def test_without_tls_or_people_it_is_refused(make_enforced, origin, authority, admin):
    proxy = exposed(make_enforced, origin, authority, admin)
    assert check(proxy, {}) == set()
    assert check(proxy, {"admin": {"tls": None}}) == {("S001", "/admin/listen")}
    assert ("S001", "/admin/listen") in check(proxy, {"people": None, "policy": {"mode": "off"}})
    answer = proxy.as_("ann").post("/v1/changes?submit=true", {"title": "x", "reason": "y", "patch": {"admin": {"tls": None}},
                                                              "deletes": ["/admin/tls"]})
    assert answer.status == 422 and "S001" in answer.body


def test_tls_that_is_configured_away_stays_until_a_restart(make_enforced, origin, authority, admin):
    proxy = exposed(make_enforced, origin, authority, admin)
    address = proxy.admin_address
    loopback = f"127.0.0.1:{address.rpartition(':')[2]}"
    change = proxy.as_("ann").submit({"admin": {"listen": loopback, "tls": None}}, deletes=["/admin/tls"], override=["X007"])
    proxy.as_("bob").approve(change)
    proxy.as_("dan").approve(change)
    proxy.as_("ann").apply(change)
    proxy.as_("ann").confirm(change)
    assert "tls" not in proxy.as_("ann").get("/v1/config").json()["admin"]
    with Client(loopback) as client:
        client.send(build("GET", "/healthz", host="localhost"))
        assert client.response().status == 400
    connection = proxy.admin_connection(context=client_context(authority))
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    assert any("until twokey is restarted" in line.get("message", "") for line in proxy.log_events("config-finding"))
    proxy.stop()
    proxy.config["admin"] = {"listen": loopback}
    proxy.start()
    with Client(loopback) as client:
        client.send(build("GET", "/healthz", host="localhost"))
        assert client.response().status == 200
