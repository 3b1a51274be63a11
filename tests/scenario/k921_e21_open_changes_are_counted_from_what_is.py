"""E-21: the bound of 20 open changes is counted from their states: whatever ends one gives its place back."""
PATCH = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}


def test_every_end_gives_its_place_back(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    ann, body = proxy.as_("ann"), {"title": "x", "reason": "y", "patch": PATCH}
    ids = [ann.post("/v1/changes", body).json()["id"] for _ in range(20)]

    def is_full():
        answer = ann.post("/v1/changes", body)
        assert answer.status in (201, 429)
        if answer.status == 201:
            ids.append(answer.json()["id"])
        return answer.status == 429

    assert is_full()
    ann.post(f"/v1/changes/{ids[0]}/withdraw")
    assert not is_full() and is_full()
    vetoed = ann.post(f"/v1/changes/{ids[1]}/submit").json()
    proxy.as_("bob").veto(vetoed)
    assert not is_full() and is_full()
    cancelled = proxy.approve_fully(ann.post(f"/v1/changes/{ids[2]}/submit").json())
    ann.apply(cancelled)
    ann.post(f"/v1/changes/{ids[2]}/cancel")
    assert not is_full() and is_full()
    assert ann.post("/v1/changes?dry_run=true", body).status in (200, 429)  # and a dry run takes none
    assert is_full()
    assert proxy.as_("bob").post("/v1/changes", body).status == 201  # another person has his own
    proxy.kill9()
    proxy.start()
    assert is_full()
