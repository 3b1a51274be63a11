"""E-16: a configuration under which nothing could be approved any more is refused (S005)."""


def refused_by(answer):
    return answer.status == 422 and {error["rule"] for error in answer.json()["errors"]}


def test_people_and_policy(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    ann = proxy.as_("ann")
    for patch, deletes in (({"policy": {"approvals": {"high": 9}}}, []),
                           ({"people": {"bob": {"roles": ["viewer"]}, "cat": {"roles": ["viewer"]}}}, []),
                           ({"people": {"bob": None, "cat": None}}, ["/people/bob", "/people/cat"]),
                           ({"people": {"bob": {"disabled": True}, "cat": {"disabled": True}}}, [])):
        answer = ann.post("/v1/changes?submit=true", {"title": "x", "reason": "y", "patch": patch, "deletes": deletes})
        assert refused_by(answer) and "S005" in refused_by(answer), (patch, answer.body)
        overridden = ann.post("/v1/changes?submit=true", {"title": "x", "reason": "y", "patch": patch, "deletes": deletes, "override": ["S005"]})
        assert overridden.status == 422, overridden.body
