"""E-1: somebody with two tokens is one person; making a second person of him is a change of class 3."""
from support.people import hash_of, make_token

PATCH = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}


def named(answer):
    """(status, name of the problem)"""
    return answer.status, answer.json()["type"].rsplit("/", 1)[1]


def test_the_second_token_approves_nothing(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    ann, other = proxy.as_("ann"), make_token("ann")
    tokens = [{"id": "test", "hash": hash_of(proxy.tokens["ann"])}, {"id": "other", "hash": hash_of(other)}]
    change = ann.submit({"people": {"ann": {"tokens": tokens}}})
    assert change["class"] == 3 and change["approvals"]["required"] >= 2
    proxy.approve_fully(change)
    ann.apply(change)
    ann.confirm(change)
    second = proxy.with_token(other)
    assert second.get("/v1/whoami").json()["person"] == "ann"
    mine = ann.submit(PATCH)
    yes = {"digest": mine["digest"], "decision": "approve", "comment": "read"}
    assert named(second.post(f"/v1/changes/{mine['id']}/approvals", yes)) == (403, "self-approval")
    theirs = proxy.as_("bob").submit(PATCH)
    yes["digest"] = theirs["digest"]
    assert ann.post(f"/v1/changes/{theirs['id']}/approvals", yes).status == 200
    assert named(second.post(f"/v1/changes/{theirs['id']}/approvals", yes)) == (409, "already-decided")


def test_a_new_person_needs_two_others(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    puppet = make_token("puppet")
    change = proxy.as_("ann").submit({"people": {"puppet": {"roles": ["approver"], "tokens": [{"hash": hash_of(puppet)}]}}})
    assert change["class"] == 3 and change["approvals"]["required"] >= 2
    proxy.as_("bob").approve(change)
    assert named(proxy.as_("ann").post(f"/v1/changes/{change['id']}/apply")) == (409, "approvals-missing")
    assert proxy.with_token(puppet).get("/v1/whoami").status == 401
