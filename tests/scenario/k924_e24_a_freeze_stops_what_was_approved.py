"""E-24: a freeze that begins after the approval stops the apply; lifting it takes its setter, or two others."""
from support.people import ROLES

PATCH = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}


def named(answer):
    """(status, name of the problem)"""
    return answer.status, answer.json()["type"].rsplit("/", 1)[1]


def test_frozen_after_the_approval(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()], roles={**ROLES, "dan": ["operator", "approver"]})
    ann, bob = proxy.as_("ann"), proxy.as_("bob")
    change = proxy.approve_fully(ann.submit(PATCH))
    assert bob.put("/v1/freeze", {"reason": "an incident"}).status == 200
    assert named(ann.post(f"/v1/changes/{change['id']}/apply")) == (409, "frozen")
    assert ann.change(change["id"])["state"] == "approved"
    asked = ann.delete("/v1/freeze")  # not hers: one of two
    assert asked.status == 200 and asked.json()["freeze"]["lift_asked_by"] == "ann"
    assert named(ann.post(f"/v1/changes/{change['id']}/apply")) == (409, "frozen")
    assert ann.delete("/v1/freeze").json()["freeze"] is not None  # asking twice is not being two
    assert named(proxy.as_("ci").delete("/v1/freeze")) == (403, "forbidden")  # nor is a service a second person
    assert proxy.as_("dan").delete("/v1/freeze").json()["freeze"] is None
    assert ann.post(f"/v1/changes/{change['id']}/apply").json()["state"] == "confirming"


def test_its_setter_lifts_it(make_origin, make_enforced):
    proxy = make_enforced([make_origin()])
    proxy.as_("ann").put("/v1/freeze", {"reason": "x", "until": "2h"})
    assert proxy.as_("ann").delete("/v1/freeze").json()["freeze"] is None


def test_a_configured_freeze(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()], policy={
        "freeze": [{"from": "2020-01-01T00:00:00Z", "to": "2099-01-01T00:00:00Z", "reason": "for ever"}]})
    ann = proxy.as_("ann")
    change = proxy.approve_fully(ann.submit(PATCH))
    answer = ann.post(f"/v1/changes/{change['id']}/apply")
    assert named(answer) == (409, "frozen") and "for ever" in answer.json()["detail"]
