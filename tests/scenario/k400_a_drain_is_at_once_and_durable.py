"""A drain holds from the next request on, over a reload, a change and a restart, until it is taken back."""
import pytest
from support.client import get
from support.origin import named


@pytest.fixture
def proxy(make_origin, make_enforced):
    return make_enforced([make_origin(named(f"s{i}")) for i in (1, 2, 3)], pool={"balance": "round_robin"})


def state(caller, server="s1"):
    return f"/v1/pools/app/servers/{server}/state"


def who_answers(proxy, requests=12):
    return {get(proxy.address).body for _ in range(requests)}


def drained(proxy):
    admin = proxy.server("s1")["admin"]
    assert (admin["state"], admin["by"], admin["reason"]) == ("drain", "bob", "new disk")
    assert who_answers(proxy) == {b"s2", b"s3"}


def test_a_drain_outlives_all_but_ready(proxy):
    bob = proxy.as_("bob")
    assert who_answers(proxy) == {b"s1", b"s2", b"s3"}
    answer = bob.put(state(bob), {"state": "drain", "reason": "new disk"})
    assert answer.status == 200, answer.body
    assert answer.json()["admin"] == {"state": "drain", "weight": None, "by": "bob", "reason": "new disk", "expires": None}
    assert answer.json()["in_flight"] == 0
    drained(proxy)

    proxy.run_change({"pools": {"app": {"slow_start": "1s"}}}, author="ann", approvers=["bob"])
    drained(proxy)
    assert bob.post("/v1/reload").status < 300
    drained(proxy)
    proxy.stop()
    proxy.start()
    drained(proxy)

    assert bob.put(state(bob), {"state": "ready"}).status == 200
    assert proxy.server("s1")["admin"] == {"state": "ready", "weight": None, "by": None, "reason": None, "expires": None}
    proxy.wait_for(lambda: b"s1" in who_answers(proxy), what="s1 to answer again")
    proxy.stop()
    proxy.start()
    assert proxy.server("s1")["admin"]["state"] == "ready"


def test_a_crash_forgets_no_drain(proxy):
    bob = proxy.as_("bob")
    assert bob.put(state(bob), {"state": "drain", "reason": "new disk"}).status == 200
    proxy.kill9()
    proxy.start()
    drained(proxy)


def test_maintenance_takes_the_checks_away_too(proxy):
    bob = proxy.as_("bob")
    assert bob.put(state(bob), {"state": "maint"}).status == 200
    assert proxy.server("s1")["admin"]["state"] == "maint"
    assert who_answers(proxy) == {b"s2", b"s3"}
    assert bob.put(state(bob), {"state": "drain"}).status == 200  # it is out already
    assert proxy.server("s1")["admin"]["state"] == "drain"


def test_it_says_who_keeps_a_server_out(proxy):
    bob = proxy.as_("bob")
    assert bob.put(state(bob), {"state": "drain"}).status == 200
    assert proxy.server("s1")["oper"]["why"] == "drained by bob"
    explained = bob.post("/v1/explain", {"path": "/"}).json()
    assert explained["not_eligible"] == [{"server": "s1", "why": "drained by bob"}]


def test_ready_is_stronger_than_a_drain_of_the_configuration(make_origin, make_enforced):
    proxy = make_enforced({"s1": {"address": make_origin(named("s1")).address, "state": "drain"},
                           "s2": make_origin(named("s2"))})
    assert proxy.server("s1")["oper"]["why"] == "drained"
    answer = proxy.as_("bob").put(state(None), {"state": "ready"})
    assert answer.json()["admin"]["state"] == proxy.server("s1")["admin"]["state"] == "ready"
    proxy.wait_for(lambda: get(proxy.address).body == b"s1", what="s1 to answer")


def test_an_order_sent_again_is_given_once(proxy):
    bob = proxy.as_("bob", headers={"Idempotency-Key": "one"})
    first = bob.put(state(bob) + "?wait=1s", {"state": "drain", "expires": "1h"})
    again = bob.put(state(bob) + "?wait=1s", {"state": "drain", "expires": "1h"})
    assert first.status == again.status == 200 and first.json() == again.json()
    assert bob.put(state(bob), {"state": "ready"}).status == 422  # another body under the same key


def test_each_order_is_told(proxy):
    bob, dan = proxy.as_("bob"), proxy.as_("dan")
    assert bob.put(state(bob), {"state": "drain", "reason": "new disk"}).status == 200
    assert bob.put(state(bob), {"state": "ready"}).status == 200
    records = [record for record in dan.get("/v1/audit?from_seq=0&limit=200").json()["records"]
               if record["event"].startswith("override.")]
    assert [record["event"] for record in records] == ["override.set", "override.cleared"]
    assert records[0]["actor"]["person"] == "bob"
    assert records[0]["data"]["server"] == "s1" and records[0]["data"]["reason"] == "new disk"


def test_orders_are_for_operators(proxy):
    answer = proxy.as_("cat").put(state(None), {"state": "drain"})
    assert answer.status == 403 and answer.json()["needs"] == ["operator"]
    assert proxy.server("s1")["admin"]["state"] == "ready"


@pytest.mark.parametrize("body, pointer", [
    ({}, "/state"), ({"state": "gone"}, "/state"), ({"weight": 1001}, "/weight"), ({"weight": "5"}, "/weight"),
    ({"state": "drain", "expires": "2"}, "/expires"), ({"state": "drain", "expires": "31d"}, "/expires"),
    ({"state": "drain", "expires": "721h"}, "/expires"), ({"state": "drain", "reason": "a\u202eb"}, "/reason")])
def test_what_makes_no_sense_is_refused(proxy, body, pointer):
    answer = proxy.as_("bob").put(state(None), body)
    assert answer.status == 422 and answer.json()["type"] == "/v1/problems/invalid-field", answer.body
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


def test_servers_and_fields_that_are_not_there(proxy):
    bob = proxy.as_("bob")
    assert bob.put(state(bob, "s9"), {"state": "drain"}).status == 404
    assert bob.put("/v1/pools/none/servers/s1/state", {"state": "drain"}).status == 404
    assert bob.put(state(bob), {"state": "drain", "until": "2h"}).json()["type"] == "/v1/problems/unknown-field"


def test_e25_neither_a_freeze_nor_a_pending_confirmation_stops_a_drain(proxy):
    ann, bob = proxy.as_("ann"), proxy.as_("bob")
    change = ann.submit({"pools": {"app": {"slow_start": "1s"}}})
    bob.approve(change)
    ann.apply(change)  # and is not confirmed
    assert bob.put("/v1/freeze", {"reason": "the sale", "until": "1h"}).status == 200
    assert bob.put(state(bob), {"state": "drain", "reason": "new disk"}).status == 200
    drained(proxy)
    assert ann.post(f"/v1/changes/{change['id']}/cancel").status == 200
    drained(proxy)  # what runs again is the configuration before, not the orders before
