"""What a pool cannot do without is not taken from it at once: 409 with the numbers, and the way on."""
import threading

import pytest
from support.client import get


def put(proxy, server, body, person="bob"):
    return proxy.as_(person).put(f"/v1/pools/app/servers/{server}/state", body)


def refused(answer):
    assert answer.status == 409, answer.body
    problem = answer.json()
    assert problem["type"] == "/v1/problems/capacity-guard"
    assert "/v1/changes" in problem["next"]
    return problem["guard"]


@pytest.fixture
def origins(make_origin):
    return lambda count: [make_origin() for _ in range(count)]


def test_half_of_the_pool_stays_where_capacity_is_unknown(origins, make_enforced):
    proxy = make_enforced(origins(3))
    answer = put(proxy, "s1", {"state": "drain"})
    assert answer.json()["guard"]["capacity"] == "unknown"
    guard = refused(put(proxy, "s2", {"state": "maint"}))
    assert guard["eligible"] == {"before": 2, "after": 1} and guard["servers"] == 3 and guard["needed"] == 2
    assert proxy.server("s2")["admin"]["state"] == "ready"
    assert put(proxy, "s1", {"state": "ready"}).status == 200  # the way back is always open
    assert put(proxy, "s2", {"state": "maint"}).status == 200


def test_the_last_server_stays(origins, make_enforced):
    proxy = make_enforced(origins(1))
    refused(put(proxy, "s1", {"state": "drain"}))
    assert get(proxy.address).status == 200


def test_a_server_that_is_down_does_not_stand_in(make_origin, make_enforced):
    good, bad, other = make_origin(), make_origin(), make_origin()
    proxy = make_enforced([good, bad, other],
                          pool={"health_check": {"interval": "100ms", "fast_interval": "100ms", "timeout": "2s", "fall": 1}})
    bad.stop()
    proxy.wait_for(lambda: proxy.server("s2")["oper"]["health"] == "down", what="s2 to be down")
    guard = refused(put(proxy, "s1", {"state": "drain"}))
    assert guard["eligible"] == {"before": 2, "after": 1}
    assert put(proxy, "s2", {"state": "drain"}).status == 200  # nothing is lost by it


def test_with_capacities_the_rest_bears_the_peak(origins, make_enforced):
    a, b, c = origins(3)
    servers = {name: {"address": origin.address, "capacity_rps": 2} for name, origin in (("s1", a), ("s2", b), ("s3", c))}
    proxy = make_enforced(servers)
    assert put(proxy, "s1", {"state": "drain"}).json()["guard"]["capacity"] == "known"
    assert put(proxy, "s1", {"state": "ready"}).status == 200

    stop = threading.Event()

    def load():
        while not stop.is_set():
            get(proxy.address)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        answer = proxy.wait_for(lambda: next((answer for answer in [put(proxy, "s1", {"state": "drain"})]
                                              if answer.status == 409 or put(proxy, "s1", {"state": "ready"}) is None), None),
                                timeout=60, what="a peak above 2 requests a second")
    finally:
        stop.set()
        thread.join()
    guard = refused(answer)
    assert guard["capacity"] == "known"
    assert guard["capacity_rps"] == {"after": 4, "largest": 2, "without_largest": 2}
    assert guard["peak"]["rps"] > 2 or guard["utilisation"]["highest"] > guard["utilisation"]["limit"] == 0.8
    assert guard["peak"]["since"].endswith("Z")


def test_a_change_may_bring_what_was_refused(origins, make_enforced):
    proxy = make_enforced(origins(3))
    assert put(proxy, "s1", {"state": "drain"}).status == 200
    refused(put(proxy, "s2", {"state": "drain"}))
    ann = proxy.as_("ann")
    change = ann.submit(overrides=[{"pool": "app", "server": "s2", "state": "drain"}])
    assert change["class"] == 3  # one of three stays, with what is drained already
    for person in ("bob", "dan"):
        proxy.as_(person).approve(change)
    ann.apply(change)
    ann.confirm(change)
    admin = proxy.server("s2")["admin"]
    assert admin["state"] == "drain" and change["id"] in admin["reason"]
    assert proxy.server("s1")["admin"]["state"] == "drain"


def test_what_came_with_a_change_goes_with_it(origins, make_enforced):
    proxy = make_enforced(origins(3))
    ann = proxy.as_("ann")
    change = proxy.approve_fully(ann.submit(overrides=[{"pool": "app", "server": "s2", "state": "drain"}]))
    ann.apply(change)
    assert proxy.server("s2")["admin"]["state"] == "drain"
    assert ann.post(f"/v1/changes/{change['id']}/cancel").status == 200
    assert proxy.server("s2")["admin"] == {"state": "ready", "weight": None, "by": None, "reason": None, "expires": None}
