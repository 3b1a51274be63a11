"""Break-glass: one person moves traffic alone, over the socket, for half an hour, and somebody else looks at it."""
from support.client import get
from support.origin import named

EMERGENCY = {"reason": "all of old answers 503", "incident": "INC-7"}


def is_refused(answer, problem):
    return answer.status >= 400 and answer.json()["type"].endswith("/" + problem)


def two_pools(make_origin, make_enforced):
    old, new = make_origin(named("old")), make_origin(named("new"))
    proxy = make_enforced([old], config={"pools": {"next": {"servers": {"n1": {"address": new.address}}}}})
    return proxy, {"routes": {"everything": {"pool": "next"}}}


def test_one_person_moves_traffic_and_another_one_reviews_it(make_origin, make_enforced):
    proxy, patch = two_pools(make_origin, make_enforced)
    dan, bob = proxy.as_("dan", on_socket=True), proxy.as_("bob")
    session = dan.post("/v1/breakglass", EMERGENCY)
    assert session.status == 201, session.body
    assert session.json()["open"] and session.json()["review"] is None

    change = dan.submit(patch)
    assert change["state"] == "pending"
    assert is_refused(proxy.as_("ann").post(f"/v1/changes/{change['id']}/apply"), "approvals-missing")
    assert proxy.as_("dan").post(f"/v1/changes/{change['id']}/apply").status in (403, 409)  # not over TCP
    applied = dan.apply(change)
    assert applied["state"] == "confirming" and applied["forced"] and applied["session"] == session.json()["id"]
    assert get(proxy.address).body == b"new"
    alerts = [alert["name"] for alert in bob.get("/v1/alerts").json()["alerts"]]
    assert "ChangeForced" in alerts and "BreakglassOpen" in alerts
    metrics = dan.get("/metrics").body
    assert "twokey_confirm_pending 1\n" in metrics and 'twokey_changes_open{state="confirming"} 1\n' in metrics
    assert "twokey_breakglass_review_overdue 0\n" in metrics and "twokey_integrity_violated 0\n" in metrics
    assert dan.confirm(change)["state"] == "applied"

    review = f"/v1/breakglass/{session.json()['id']}/review"
    assert is_refused(dan.post(review, {"verdict": "accept"}), "self-approval")
    assert proxy.as_("ci").post(review, {"verdict": "accept"}).status == 403
    closed = bob.post(review, {"verdict": "accept", "comment": "it was right"})
    assert closed.status == 200 and closed.json()["review"]["person"] == "bob", closed.body
    assert is_refused(bob.post(review, {"verdict": "revert"}), "state-conflict")
    events = [record["event"] for record in dan.get("/v1/audit?limit=200").json()["records"]]
    assert {"breakglass.opened", "change.forced", "breakglass.reviewed"} <= set(events)


def test_it_takes_the_socket_and_the_role(make_origin, make_enforced):
    proxy, _ = two_pools(make_origin, make_enforced)
    assert is_refused(proxy.as_("dan").post("/v1/breakglass", EMERGENCY), "forbidden")
    assert is_refused(proxy.as_("bob", on_socket=True).post("/v1/breakglass", EMERGENCY), "forbidden")
    assert proxy.as_("dan", on_socket=True).post("/v1/breakglass", {"reason": "r"}).status == 422


def test_it_makes_no_second_person_and_no_weaker_policy(make_origin, make_enforced):
    proxy, _ = two_pools(make_origin, make_enforced)
    dan = proxy.as_("dan", on_socket=True)
    assert dan.post("/v1/breakglass", EMERGENCY).status == 201
    for patch in ({"people": {"cat": {"roles": ["viewer", "approver", "operator"]}}},
                  {"policy": {"approvals": {"normal": 0}}},
                  {"admin": {"metrics_public": True}},
                  {"observe": {"alerts": {"webhook": ["http://127.0.0.1:9/"]}}}):
        change = dan.submit(patch)
        refused = dan.post(f"/v1/changes/{change['id']}/apply")
        assert is_refused(refused, "forbidden"), refused.body
        assert dan.change(change)["state"] == "pending"


def test_a_restart_neither_ends_nor_lengthens_it(make_origin, make_enforced):
    proxy, patch = two_pools(make_origin, make_enforced)
    dan = proxy.as_("dan", on_socket=True)
    opened = dan.post("/v1/breakglass", EMERGENCY)
    assert opened.status == 201
    change = dan.submit(patch)
    proxy.kill9()
    proxy.start()
    dan = proxy.as_("dan", on_socket=True)
    session = dan.get("/v1/breakglass").json()["sessions"][0]
    assert session["open"] and session["expires"] == opened.json()["expires"]
    assert dan.apply(change)["session"] == opened.json()["id"]
    assert get(proxy.address).body == b"new"
