"""X-On-Behalf-Of: a service says for whom it acts; people act for nobody else."""


def test_a_service_acts_for_somebody(make_enforced, origin):
    proxy = make_enforced(origin)
    me = proxy.as_("ci", headers={"X-On-Behalf-Of": "bob"}).get("/v1/whoami").json()
    assert (me["person"], me["on_behalf_of"]) == ("ci", "bob")
    assert proxy.as_("ci").get("/v1/whoami").json()["on_behalf_of"] is None


def test_only_for_people_who_are_there(make_enforced, origin):
    proxy = make_enforced(origin, config={"people": {"cat": {"disabled": True}}})
    for name in ("nobody", "ci", "cat", "bob,ann"):
        assert proxy.as_("ci", headers={"X-On-Behalf-Of": name}).get("/v1/whoami").status == 403, name


def test_a_human_does_not(make_enforced, origin):
    answer = make_enforced(origin).as_("ann", headers={"X-On-Behalf-Of": "bob"}).get("/v1/whoami")
    assert answer.status == 403 and "is for services" in answer.json()["detail"]
