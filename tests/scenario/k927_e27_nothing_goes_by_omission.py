"""E-27: what a whole configuration leaves out, or a patch nulls, is deleted only where `deletes` names it."""


def named(answer):
    """(status, name of the problem)"""
    return answer.status, answer.json()["type"].rsplit("/", 1)[1]


def test_a_whole_configuration_that_forgot_something(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    dan, ann = proxy.as_("dan"), proxy.as_("ann")
    whole = dan.get("/v1/config").json()
    del whole["pools"]["app"]["servers"]["s2"]
    del whole["people"]["cat"]
    body = {"title": "x", "reason": "y", "config": whole}
    answer = ann.post("/v1/changes", body)
    assert named(answer) == (422, "unlisted-delete")
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/pools/app/servers/s2", "/people/cat"}
    assert named(ann.post("/v1/changes", {**body, "deletes": ["/people/cat"]})) == (422, "unlisted-delete")
    assert ann.post("/v1/changes", {**body, "deletes": ["/people/cat", "/pools/app/servers/s2"]}).status == 201
    nothing = {"title": "x", "reason": "y", "patch": {"pools": {"app": {"servers": {"s1": {"weight": 5}}}}}, "deletes": ["/pools/app/servers/s2"]}
    assert ann.post("/v1/changes", nothing).status == 422  # listed, and not deleted: one of the two is a mistake
    assert named(ann.post("/v1/changes", {"title": "x", "reason": "y", "config": {}})) == (422, "unlisted-delete")
