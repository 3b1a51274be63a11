"""E-22: an approval names the digest; one of class 3 says why besides."""
PATCH = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}


def named(answer):
    """(status, name of the problem)"""
    return answer.status, answer.json()["type"].rsplit("/", 1)[1]


def test_the_digest_is_named(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    change = proxy.as_("ann").submit(PATCH)
    path = f"/v1/changes/{change['id']}/approvals"
    for body in ({}, {"decision": "approve"}, {"digest": None, "decision": "approve"}, {"digest": "", "decision": "approve"}):
        assert named(proxy.as_("bob").post(path, body)) == (422, "invalid-field"), body
    for digest in ("sha256:", change["digest"][7:], change["digest"].upper(), change["digest"][:-1], change["etag"], change["target"], "latest"):
        assert named(proxy.as_("bob").post(path, {"digest": digest, "decision": "approve", "comment": "x"})) == (412, "digest-mismatch"), digest


def test_class_3_and_vetoes_say_why(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    change = proxy.as_("ann").submit({"people": {"cat": {"roles": ["viewer", "approver", "auditor"]}}})
    assert change["class"] == 3
    path, silent = f"/v1/changes/{change['id']}/approvals", {"digest": change["digest"], "decision": "approve"}
    assert proxy.as_("bob").post(path, silent).status == 422
    assert proxy.as_("bob").post(path, {**silent, "comment": "talked to her"}).status == 200
    assert proxy.as_("cat").post(path, {**silent, "decision": "veto"}).status == 422
    assert proxy.as_("cat").post(path, {**silent, "decision": "veto", "comment": "not me"}).status == 200
