"""E-8: no parameter, field or other id can make an apply do something else than was approved."""
PATCH = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}


def named(answer):
    """(status, name of the problem)"""
    return answer.status, answer.json()["type"].rsplit("/", 1)[1]


def test_nothing_widens_it(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    ann = proxy.as_("ann")
    approved = proxy.approve_fully(ann.submit(PATCH))
    other = ann.submit({"pools": {"app": {"servers": {"s2": {"weight": 90}}}}})
    path = f"/v1/changes/{approved['id']}/apply"
    for body in ({"patch": {}}, {"change": other["id"]}, {"digest": other["digest"]}, {"force": True}, {"config": {}}):
        assert named(ann.post(path, body)) == (422, "unknown-field"), body
    for query in ("?force=true", f"?change={other['id']}", "?iteration=2", "?dry_run=false"):
        assert named(ann.post(path + query)) == (400, "unknown-parameter"), query
    assert named(ann.post(path, headers={"If-Match": f'"{other["digest"]}"'})) == (412, "digest-mismatch")
    for odd in (f"{approved['id']}%2F..%2F{other['id']}", f"{approved['id']},{other['id']}", approved["id"].lower(), approved["id"] + "%00"):
        assert ann.post(f"/v1/changes/{odd}/apply").status in (400, 404), odd
    assert ann.post(path).json()["state"] == "confirming"
    servers = ann.get("/v1/config/pools/app").json()["servers"]
    assert servers["s1"]["weight"] == 50 and "weight" not in servers["s2"]
