"""E-3: the owner of a service, and whoever it acted for, contributed to what it wrote."""
PATCH = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}


def named(answer):
    """(status, name of the problem)"""
    return answer.status, answer.json()["type"].rsplit("/", 1)[1]


def decide(proxy, person, change):
    return proxy.as_(person).post(f"/v1/changes/{change['id']}/approvals",
                                  {"digest": change["digest"], "decision": "approve", "comment": "read"})


def test_its_owner_does_not_approve(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    change = proxy.as_("ci").submit(PATCH)
    assert {"ci", "ann"} <= set(change["contributors"]) and "ann" not in change["approvals"]["who_can"]
    assert named(decide(proxy, "ann", change)) == (403, "self-approval")
    assert decide(proxy, "bob", change).status == 200


def test_nor_does_he_for_whom_it_acted(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    change = proxy.as_("ci", headers={"X-On-Behalf-Of": "bob"}).submit(PATCH)
    assert {"ci", "ann", "bob"} <= set(change["contributors"])
    for person in ("ann", "bob"):
        assert named(decide(proxy, person, change)) == (403, "self-approval"), person
    assert decide(proxy, "cat", change).status == 200


def test_a_person_acts_for_himself(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    answer = proxy.as_("ann", headers={"X-On-Behalf-Of": "bob"}).post("/v1/changes", {"title": "x", "reason": "y", "patch": PATCH})
    assert answer.status in (403, 422)
