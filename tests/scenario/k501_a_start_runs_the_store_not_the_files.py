"""E-12: in mode enforced whoever may write conf.d changes nothing: not by a restart, not by a signal."""
import json
import os
import signal
import sqlite3

from support.client import get
from support.origin import named


def make(make_origin, make_enforced):
    old, new = make_origin(named("old")), make_origin(named("new"))
    return make_enforced([old], config={"pools": {"next": {"servers": {"n1": {"address": new.address}}}}})


def route_to_next(proxy):
    proxy.config["routes"]["everything"] = {"pool": "next"}
    proxy.write_config(proxy.config)


def test_files_changed_before_a_restart(make_origin, make_enforced):
    proxy = make(make_origin, make_enforced)
    route_to_next(proxy)
    for again in range(2):
        proxy.stop() if again == 0 else proxy.kill9()
        proxy.start()
        assert get(proxy.address).body == b"old" and proxy.status()["running"]["rev"] == 1
        assert proxy.status()["drift"] is True
    assert proxy.as_("ann").get("/v1/drift").json()["drift"] is True


def test_files_that_do_not_build(make_origin, make_enforced):
    proxy = make(make_origin, make_enforced)
    proxy.stop()
    with open(os.path.join(proxy.conf_dir, "99.json"), "w") as file:
        file.write('{"pools": {')
    proxy.start()
    assert get(proxy.address).body == b"old" and proxy.status()["drift"] is True


def test_a_weaker_mode_in_the_files(make_origin, make_enforced):
    proxy = make(make_origin, make_enforced)
    for mode in ("off", "advisory"):
        proxy.config["policy"]["mode"] = mode
        route_to_next(proxy)
        proxy.stop()
        proxy.start()
        assert proxy.status()["mode"] == "enforced" and get(proxy.address).body == b"old"
        assert "ModeKept" in [alert["name"] for alert in proxy.as_("ann").get("/v1/alerts").json()["alerts"]]
        answer = proxy.as_("ann").post("/v1/reload")
        assert answer.status == 202 and answer.json()["state"] == "draft", answer.body
        assert proxy.status()["mode"] == "enforced" and get(proxy.address).body == b"old"


def test_a_signal_makes_a_draft_and_applies_nothing(make_origin, make_enforced):
    proxy = make(make_origin, make_enforced)
    ann = proxy.as_("ann")
    assert proxy.status()["drift"] is False
    route_to_next(proxy)
    proxy.signal(signal.SIGHUP)
    event = proxy.wait_event("conf-imported")
    change = ann.change(event["change"])
    assert change["state"] == "draft" and change["kind"] == "import" and change["author"] == "system"
    assert get(proxy.address).body == b"old" and proxy.status()["drift"] is True
    assert any(alert["name"] == "Drift" for alert in ann.get("/v1/alerts").json()["alerts"])

    proxy.signal(signal.SIGHUP)
    proxy.wait_for(lambda: len(proxy.log_events("conf-imported")) == 2)
    assert len(ann.get("/v1/changes").json()["changes"]) == 1, "the same files make no second one"

    proxy.config["pools"]["app"]["slow_start"] = "3s"
    proxy.write_config(proxy.config)
    proxy.signal(signal.SIGHUP)
    proxy.wait_for(lambda: len(proxy.log_events("conf-imported")) == 3)
    newer = ann.change(proxy.log_events("conf-imported")[2]["change"])
    assert newer["id"] != change["id"] and newer["state"] == "draft"
    assert ann.change(change)["state"] == "withdrawn", "nobody had looked at it, and the files say something else"


def test_what_the_files_say_goes_the_whole_way(make_origin, make_enforced):
    """One approval more than its class says; whoever had it read is a contributor."""
    proxy = make(make_origin, make_enforced)
    ann = proxy.as_("ann")
    by_hand = ann.submit({"routes": {"everything": {"pool": "next"}}})
    ann.post(f"/v1/changes/{by_hand['id']}/withdraw")
    route_to_next(proxy)
    answer = ann.post("/v1/reload")
    assert answer.status == 202 and answer.headers["Location"], answer.body
    draft = answer.json()
    assert draft["contributors"][0] == "ann"
    pending = ann.post(f"/v1/changes/{draft['id']}/submit").json()
    assert pending["approvals"]["required"] == by_hand["approvals"]["required"] + 1
    refused = ann.post(f"/v1/changes/{draft['id']}/approvals", {"digest": pending["digest"], "decision": "approve", "comment": "x"})
    assert refused.status == 403 and refused.json()["type"].endswith("/self-approval")
    proxy.approve_fully(pending)
    ann.apply(pending)
    assert get(proxy.address).body == b"new" and proxy.status()["drift"] is True, "not before it is confirmed"
    ann.confirm(pending)
    assert proxy.status()["drift"] is False
    level = ann.post("/v1/reload")
    assert level.status == 200 and level.json()["change"] is None, level.body


def test_what_the_api_changed_is_kept(make_origin, make_enforced):
    """Three ways: the files' change on top of what runs."""
    proxy = make(make_origin, make_enforced)
    ann = proxy.as_("ann")
    change = ann.submit({"pools": {"app": {"slow_start": "7s"}}})
    proxy.approve_fully(change)
    ann.apply(change)
    ann.confirm(change)
    assert proxy.status()["drift"] is False, "what the API changed is no drift"
    proxy.config["pools"]["next"]["slow_start"] = "9s"
    proxy.write_config(proxy.config)
    draft = ann.post("/v1/reload").json()
    diff = ann.get(f"/v1/changes/{draft['id']}/diff").json()
    assert [row["pointer"] for row in diff["diff"]] == ["/pools/next/slow_start"], diff


def test_both_changed_the_same_thing(make_origin, make_enforced):
    proxy = make(make_origin, make_enforced)
    ann = proxy.as_("ann")
    change = ann.submit({"pools": {"app": {"slow_start": "7s"}}})
    proxy.approve_fully(change)
    ann.apply(change)
    ann.confirm(change)
    proxy.config["pools"]["app"]["slow_start"] = "9s"
    proxy.config["pools"]["next"]["slow_start"] = "9s"
    proxy.write_config(proxy.config)
    draft = ann.post("/v1/reload").json()
    assert any(finding["pointer"] == "/pools/app/slow_start" for finding in draft["findings"]), draft["findings"]
    diff = ann.get(f"/v1/changes/{draft['id']}/diff").json()
    assert [row["pointer"] for row in diff["diff"]] == ["/pools/next/slow_start"], "what runs stays, where both differ"


def test_the_owner_of_the_files_is_a_contributor(make_origin, make_enforced):
    proxy = make_enforced([make_origin()], config={"people": {"bob": {"uids": [os.getuid()]}}})
    proxy.config["pools"]["app"]["slow_start"] = "9s"
    proxy.write_config(proxy.config)
    proxy.signal(signal.SIGHUP)
    event = proxy.wait_event("conf-imported")
    assert "bob" in proxy.as_("ann").change(event["change"])["contributors"]


def test_bytes_that_were_changed_in_the_store_do_not_run(make_origin, make_enforced):
    """The newest revision that verifies runs, nothing may be changed, traffic goes on."""
    proxy = make(make_origin, make_enforced)
    ann = proxy.as_("ann")
    change = ann.submit({"routes": {"everything": {"pool": "next"}}})
    proxy.approve_fully(change)
    ann.apply(change)
    ann.confirm(change)
    digest = proxy.status()["running"]["digest"]
    proxy.stop()
    proxy.is_damaged = True
    with sqlite3.connect(os.path.join(proxy.state_dir, "twokey.db")) as database:
        table = next(name for name, in database.execute("SELECT name FROM sqlite_master WHERE type='table'")
                     if {"key", "value"} <= {row[1] for row in database.execute(f"PRAGMA table_info({name})")})
        key = "blob/" + digest.split(":")[1]
        value, = database.execute(f"SELECT value FROM {table} WHERE key=?", (key,)).fetchone()
        bad = json.loads(value)
        bad["pools"]["next"]["servers"]["n1"]["weight"] = 1
        assert database.execute(f"UPDATE {table} SET value=? WHERE key=?", (json.dumps(bad).encode(), key)).rowcount == 1
    database.close()
    proxy.start()
    assert get(proxy.address).body == b"old" and proxy.status()["running"]["rev"] == 1
    assert proxy.status()["integrity"] == "violated"
    assert any(alert["name"] == "IntegrityViolated" for alert in ann.get("/v1/alerts").json()["alerts"])
    refused = ann.post("/v1/changes", {"title": "t", "reason": "r", "patch": {"pools": {"app": {"slow_start": "1s"}}}})
    assert refused.status == 503 and refused.json()["type"].endswith("/audit-unavailable")
