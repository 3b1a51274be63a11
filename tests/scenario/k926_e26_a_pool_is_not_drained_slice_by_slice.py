"""E-26: one drain after the other is added up: the guard refuses before the pool is empty, with its numbers."""


def test_the_guard_adds_up(make_origin, make_enforced):
    proxy = make_enforced([make_origin() for _ in range(4)])
    drained, refusal = 0, None
    for person in ("ann", "bob", "ci", "ann"):
        answer = proxy.as_(person).put(f"/v1/pools/app/servers/s{drained + 1}/state", {"state": "drain", "reason": "slice"})
        if answer.status != 200:
            refusal = answer
            break
        drained += 1
    assert 1 <= drained <= 2 and refusal is not None, drained
    assert refusal.status == 409 and refusal.json()["type"].endswith("/capacity-guard")
    assert len([s for s in proxy.pool()["servers"] if s["oper"]["eligible"]]) >= 2
    by_weight = proxy.as_("ann").put("/v1/pools/app/servers/s4/state", {"weight": 0, "reason": "slice"})
    assert by_weight.status == 409, by_weight.body
