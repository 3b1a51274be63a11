"""Each call names the role it needs; who lacks it is told, with those who have it."""


def test_the_missing_role_and_who_has_it(make_enforced, origin):
    proxy = make_enforced(origin)
    answer = proxy.as_("cat").post("/v1/reload")
    assert answer.status == 403
    problem = answer.json()
    assert problem["type"] == "/v1/problems/forbidden"
    assert problem["needs"] == ["operator"]
    assert problem["who_can"] == ["ann", "bob", "ci"]
    assert "cat has not the role operator" in problem["detail"]


def test_any_role_may_read(make_enforced, origin):
    roles = {"ann": ["author"], "eve": [], "bob": ["approver"], "cat": ["approver"], "dan": ["approver"]}
    proxy = make_enforced(origin, roles=roles)
    assert proxy.as_("ann").get("/v1/status").status == 200
    assert proxy.as_("eve").get("/v1/whoami").json()["roles"] == []
    assert proxy.as_("eve").get("/v1/status").status == 403


def test_the_policy_is_shown(make_enforced, origin):
    proxy = make_enforced(origin, policy={"windows": [{"days": ["mon"], "from": "09:00", "to": "17:00"}], "approvals": {"high": 3}})
    policy = proxy.as_("cat").get("/v1/policy").json()
    assert policy["mode"] == "enforced"
    assert policy["approvals"] == {"normal": 1, "high": 3}
    assert policy["windows"] == [{"days": ["mon"], "from": "09:00", "to": "17:00"}]
    assert policy["approvers"] == ["ann", "bob", "cat", "dan"]
