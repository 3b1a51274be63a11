"""Mode enforced: a reload makes a change of what conf.d says beyond its last import; who asked has contributed to it."""
import json
import os

from support.origin import ok


def write(proxy, name, document):
    with open(os.path.join(proxy.conf_dir, name), "w") as file:
        json.dump(document, file)


def test_a_reload_makes_a_change_and_applies_nothing(make_origin, make_enforced):
    proxy = make_enforced([make_origin(lambda request: ok())])
    ann, bob = proxy.as_("ann"), proxy.as_("bob")
    before = ann.get("/v1/status").json()["running"]["digest"]
    write(proxy, "99-more.json", {"routes": {"gone": {"path": "/gone", "respond": {"status": 410}}}})

    answer = ann.post("/v1/reload")
    assert answer.status == 202, answer.body
    change = answer.json()
    assert answer.headers["Location"] == "/v1/changes/" + change["id"]
    assert "ann" in change["contributors"]
    assert ann.get("/v1/status").json()["running"]["digest"] == before
    assert ann.get("/v1/drift").json()["drift"] is True
    assert ann.post("/v1/reload").json()["id"] == change["id"]
    assert "gone" in bob.get(f"/v1/changes/{change['id']}/diff").body


def test_what_the_api_changed_is_no_drift(make_origin, make_enforced):
    proxy = make_enforced([make_origin(lambda request: ok())])
    ann, bob = proxy.as_("ann"), proxy.as_("bob")
    change = ann.submit({"pools": {"app": {"slow_start": "7s"}}})
    bob.approve(change)
    ann.apply(change)
    ann.confirm(change)
    drift = ann.get("/v1/drift").json()
    assert drift["drift"] is False and drift["changes"] == [], drift
    assert drift["imported"] == drift["disk"] != drift["running"]


def test_with_nothing_new_nothing_is_made(make_origin, make_enforced):
    ann = make_enforced([make_origin(lambda request: ok())]).as_("ann")
    answer = ann.post("/v1/reload")
    status = ann.get("/v1/status").json()["running"]
    assert answer.status == 200 and answer.json()["change"] is None, answer.body
    assert (answer.json()["digest"], answer.json()["generation"]) == (status["digest"], status["generation"])
