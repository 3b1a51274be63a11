"""E-4: a second author edits, and the first one does not approve what he began; nor the second."""
PATCH = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}


def named(answer):
    """(status, name of the problem)"""
    return answer.status, answer.json()["type"].rsplit("/", 1)[1]


def test_all_who_wrote_are_excluded(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    draft = proxy.as_("ann").post("/v1/changes", {"title": "x", "reason": "y", "patch": PATCH}).json()
    path = f"/v1/changes/{draft['id']}"
    edited = proxy.as_("bob").patch(path, {"title": "better"}, headers={"If-Match": f'"{draft["etag"]}"'})
    assert edited.status == 200 and edited.json()["contributors"] == ["ann", "bob"], edited.body
    change = proxy.as_("bob").post(path + "/submit").json()
    yes = {"digest": change["digest"], "decision": "approve", "comment": "read"}
    for person in ("ann", "bob"):
        assert named(proxy.as_(person).post(path + "/approvals", yes)) == (403, "self-approval"), person
    # the second one's part is undone: he has contributed all the same
    again = proxy.as_("ann").put(path, {"title": "x", "reason": "y", "patch": PATCH}, headers={"If-Match": f'"{change["etag"]}"'}).json()
    assert again["contributors"] == ["ann", "bob"] and again["state"] == "draft"
    change = proxy.as_("ann").post(path + "/submit").json()
    yes["digest"] = change["digest"]
    assert named(proxy.as_("bob").post(path + "/approvals", yes)) == (403, "self-approval")
    assert proxy.as_("cat").post(path + "/approvals", yes).status == 200
