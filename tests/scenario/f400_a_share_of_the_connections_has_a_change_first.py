"""A rollout: that share of the connections has the change, whole connections at a time; the rest has what runs."""
import concurrent.futures
import math

import pytest

from support.client import Client, build, get
from support.origin import named
from support.proxy import free_port


@pytest.fixture
def proxy(make_origin, make_enforced):
    old, new = make_origin(named("old")), make_origin(named("new"))
    proxy = make_enforced([old])
    proxy.next = new
    return proxy


def patch_of(proxy):
    return {"pools": {"next": {"servers": {"n1": {"address": proxy.next.address}}}}, "routes": {"everything": {"pool": "next"}}}


def try_it(proxy, percent, patch=None, **fields):
    change = proxy.as_("ann").submit(patch or patch_of(proxy), rollout=[{"percent": percent, "for": "10m"}], **fields)
    proxy.approve_fully(change)
    return proxy.as_("ann").apply(change)


def whom(proxy, requests=1):
    with Client(proxy.address) as client:
        return [client.request(target="/").body.decode() for _ in range(requests)]


@pytest.mark.race
def test_so_many_connections_have_it(proxy):
    change = try_it(proxy, 10)
    assert change["state"] == "confirming"
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: whom(proxy, 2), range(2000)))
    assert all(len(set(answer)) == 1 for answer in answers)  # a connection is in one of both
    new = sum(answer[0] == "new" for answer in answers)
    assert abs(new - 200) < 6 * math.sqrt(2000 * 0.1 * 0.9), new
    metrics = proxy.metrics()
    assert metrics.value("twokey_canary_percent") == 10
    assert metrics.value("twokey_canary_responses_total", code_class="2xx") == 2 * new
    assert metrics.value("twokey_server_requests_total", pool="next", server="n1") == 2 * new


def test_of_few_connections_some_have_it(make_origin, make_enforced):
    """By chance none of 40 would, at 5 %, every eighth time."""
    proxy = make_enforced([make_origin(named("old"))], process={"workers": 1})
    proxy.next = make_origin(named("new"))
    try_it(proxy, 5)
    for _ in range(5):
        clients = [Client(proxy.address) for _ in range(40)]
        answers = [client.request(target="/").body for client in clients]
        assert 1 <= answers.count(b"new") <= 3, answers
        for client in clients:
            client.close()


def test_what_does_not_go_with_the_rest_that_runs_is_refused_at_once(make_origin, make_enforced):
    """The address of a listener that goes: a server may be there when all have the change, and not before."""
    going = f"127.0.0.1:{free_port()}"
    proxy = make_enforced([make_origin()], config={"listeners": {"going": {"address": going}}})
    patch = {"listeners": {"going": None}, "pools": {"next": {"servers": {"n1": {"address": going}}}},
             "routes": {"everything": {"pool": "next"}}}
    body = {"title": "t", "reason": "r", "patch": patch, "deletes": ["/listeners/going"], "rollout": [{"percent": 5, "for": "10m"}]}
    refused = proxy.as_("ann").post("/v1/changes?submit=true", body)
    assert refused.status == 422 and refused.json()["type"].endswith("invalid-field"), refused.body
    assert "leave the rollout out" in refused.json()["detail"]
    assert refused.json()["errors"][0]["pointer"] == "/pools/next/servers/n1/address", refused.body
    del body["rollout"]
    assert proxy.as_("ann").post("/v1/changes?submit=true", body).status == 201


def test_the_status_says_both(proxy):
    before = proxy.status()["running"]
    change = try_it(proxy, 10)
    status = proxy.status()
    assert status["running"]["rev"] == before["rev"] and status["running"]["digest"] == before["digest"]
    pending = status["pending_confirm"]
    assert pending["change"] == change["id"] and pending["rev"] == change["rev"]
    assert pending["rollout"]["percent"] == 10 and (pending["rollout"]["step"], pending["rollout"]["steps"]) == (1, 1)
    assert status["revisions_alive"] == 2
    text = proxy.as_("ann").get("/v1/status", headers={"Accept": "text/plain"}).body
    assert "10 % of the connections have it, step 1 of 1 until 20" in text, text
    refused = proxy.as_("ann").post(f"/v1/changes/{change['id']}/confirm")
    assert refused.status == 409 and refused.json()["type"].endswith("too-early"), refused.body
    refused = proxy.as_("ann").post(f"/v1/changes/{change['id']}/extend", {"deadline": "30m"})
    assert refused.status == 409 and "10 %" in refused.json()["detail"], refused.body


@pytest.mark.race
def test_connections_that_had_it_go_on_without(proxy):
    change = try_it(proxy, 50)
    clients = [Client(proxy.address) for _ in range(40)]
    before = [client.request(target="/").body for client in clients]
    assert set(before) == {b"old", b"new"}
    assert [client.request(target="/").body for client in clients] == before
    assert proxy.as_("bob").post(f"/v1/changes/{change['id']}/cancel", {"reason": "no"}).status == 200
    proxy.wait_for(lambda: all(client.request(target="/").body == b"old" for client in clients))
    proxy.wait_for(lambda: proxy.metrics().value("twokey_snapshots_alive") == 1)
    assert proxy.metrics().value("twokey_canary_percent") == 0
    assert proxy.as_("ann").change(change)["state"] == "rolled_back"
    for client in clients:
        client.close()


def test_a_request_under_way_ends_as_it_began(proxy, make_origin):
    """Taken back while a response of the share streams."""
    import threading
    gate = threading.Event()

    def slow(conn, request):
        gate.wait(20)
        return named("slow")(conn, request)

    late = make_origin(slow)
    proxy.next = late
    change = try_it(proxy, 99)
    clients = [Client(proxy.address) for _ in range(8)]
    for client in clients:
        client.send(build())
    late.wait_for(lambda o: o.heads)
    assert proxy.as_("bob").post(f"/v1/changes/{change['id']}/cancel").status == 200
    assert get(proxy.address).body == b"old"
    gate.set()
    assert {client.response().body for client in clients} <= {b"slow", b"old"}
    proxy.wait_for(lambda: proxy.metrics().value("twokey_snapshots_alive") == 1)


def test_headers_and_answers_of_routes_are_the_shares(proxy):
    try_it(proxy, 50, {"routes": {"everything": {"response_headers": {"set": {"X-Arm": "new"}}}}})
    seen = {get(proxy.address).header("X-Arm") for _ in range(60)}
    assert seen == {None, "new"}


def test_listeners_stay_as_they_are(proxy):
    from support.proxy import free_port
    port = free_port()
    change = proxy.as_("ann").submit({**patch_of(proxy), "listeners": {"more": {"address": f"127.0.0.1:{port}"}}},
                                     rollout=[{"percent": 50, "for": "10m"}])
    proxy.approve_fully(change)
    assert proxy.as_("ann").apply(change)["state"] == "confirming"
    assert {whom(proxy)[0] for _ in range(60)} == {"old", "new"}
    with pytest.raises(OSError):
        Client(f"127.0.0.1:{port}", timeout=2)


def test_a_route_of_a_listener_that_is_not_there_is_refused(proxy):
    body = {"title": "t", "reason": "r", "rollout": [{"percent": 1, "for": "30s"}],
            "patch": {"listeners": {"more": {"address": "127.0.0.1:1"}}, "routes": {"m": {"pool": "app", "listeners": ["more"], "path": "/m"}}}}
    refused = proxy.as_("ann").post("/v1/changes?submit=true", body)
    assert refused.status == 422 and "listener more" in refused.json()["detail"], refused.body


def test_a_drain_and_a_rollback_meanwhile(make_origin, make_enforced):
    """An order to a server holds in both; a rollback ends what is tried."""
    proxy = make_enforced([make_origin(named("one")), make_origin(named("two"))])
    try_it(proxy, 50, {"pools": {"app": {"servers": {"s3": {"address": make_origin(named("three")).address}}, "slow_start": "0s"}}})
    assert {whom(proxy)[0] for _ in range(100)} == {"one", "two", "three"}
    said = proxy.as_("ann").put("/v1/pools/app/servers/s2/state", {"state": "drain", "reason": "a test"})
    assert said.status == 200, said.body
    assert {whom(proxy)[0] for _ in range(100)} == {"one", "three"}
    back = proxy.as_("bob").post("/v1/rollback", {"to": "previous", "reason": "no"})
    assert back.status == 200, back.body
    assert {whom(proxy)[0] for _ in range(60)} == {"one"}
    assert proxy.status()["pending_confirm"] is None and proxy.metrics().value("twokey_canary_percent") == 0


def test_a_kill_leaves_nothing_of_it(proxy):
    change = try_it(proxy, 50)
    proxy.kill9()
    proxy.start()
    assert {whom(proxy)[0] for _ in range(30)} == {"old"}
    now = proxy.as_("ann").change(change)
    assert now["state"] == "rolled_back" and now["ended_why"] == "restart"
    assert proxy.status()["boot"]["rev"] == proxy.status()["running"]["rev"] < change["rev"]


def test_conf_d_is_not_taken_over_meanwhile(make_origin, make_enforced):
    old, new = make_origin(named("old")), make_origin(named("new"))
    proxy = make_enforced([old], policy={"mode": "advisory"})
    proxy.next = new
    try_it(proxy, 50)
    refused = proxy.reload()  # it says what runs: nothing to take over, but it must not end what is tried
    assert refused.status == 409 and "waits for its confirmation" in refused.body, refused.body
    assert {whom(proxy)[0] for _ in range(60)} == {"old", "new"}
    proxy.config["pools"]["app"]["slow_start"] = "1s"
    refused = proxy.reload()
    assert refused.status == 409 and "waits for its confirmation" in refused.body, refused.body
    assert {whom(proxy)[0] for _ in range(60)} == {"old", "new"}
