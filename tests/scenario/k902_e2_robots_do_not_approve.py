"""E-2: a service may author, apply and confirm; it never approves or vetoes, whatever its roles say."""
import pytest
from support.people import ROLES

PATCH = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}


def named(answer):
    """(status, name of the problem)"""
    return answer.status, answer.json()["type"].rsplit("/", 1)[1]


@pytest.mark.parametrize("decision", ["approve", "veto"])
def test_a_service_decides_nothing(make_origin, make_enforced, decision):
    proxy = make_enforced([make_origin(), make_origin()])
    change = proxy.as_("bob").submit(PATCH)
    said = proxy.as_("ci").post(f"/v1/changes/{change['id']}/approvals",
                                {"digest": change["digest"], "decision": decision, "comment": "beep"})
    assert named(said) == (403, "not-an-approver")
    assert "ci" not in change["approvals"]["who_can"]
    assert proxy.as_("bob").change(change["id"])["approvals"]["given"] == []


def test_a_service_does_the_rest(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    change = proxy.as_("ci").submit(PATCH)
    proxy.approve_fully(change)
    assert proxy.as_("ci").apply(change)["state"] == "confirming"
    assert proxy.as_("ci").confirm(change)["state"] == "applied"


def test_a_service_is_no_approver_by_configuration(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    answer = proxy.as_("ann").post("/v1/changes?submit=true", {"title": "x", "reason": "y", "patch": {
        "people": {"ci": {"roles": ROLES["ci"] + ["approver"]}}}})
    if answer.status == 201:  # then the role says nothing
        assert "ci" not in answer.json()["approvals"]["who_can"]
    else:
        assert answer.status == 422 and answer.json()["errors"]
