"""POST /v1/reload takes conf.d anew, says what is different, and changes nothing when it does not build."""
import copy

from support.client import Client, build, get
from support.origin import ok
from support.proxy import merge


def changed(proxy, patch):
    return merge(copy.deepcopy(proxy.config), patch)


def test_a_good_reload_says_what_is_different(make_origin, make_proxy):
    old, new = make_origin(ok(b"old")), make_origin(ok(b"new"))
    proxy = make_proxy(old)
    before = proxy.status()["running"]
    with Client(proxy.address) as client:
        client.send(build())
        assert client.response().body == b"old"
        answer = proxy.reload(changed(proxy, {"pools": {"app": {"servers": {"s1": {"address": new.address}}}}}))
        assert answer.status == 200, answer.body
        said = answer.json()
        assert said["generation"] > before["generation"]
        assert said["digest"] != before["digest"]
        assert any("s1" in change for change in said["changes"]), said
        client.send(build())
        assert client.response().body == b"new"
    assert proxy.status()["running"]["digest"] == said["digest"]
    assert proxy.admin_get("/v1/config")["pools"]["app"]["servers"]["s1"]["address"] == new.address


def test_a_bad_reload_changes_nothing_and_names_every_fault(make_origin, make_proxy):
    proxy = make_proxy(make_origin(ok(b"still")))
    before = proxy.status()["running"]
    bad = changed(proxy, {"pools": {"app": {"servers": {"s1": {"weight": 70000}}, "balance": "fastest"}},
                          "routes": {"lost": {"path": "/x", "pool": "nowhere"}}})
    proxy.write_config(bad)
    answer = proxy.admin("POST", "/v1/reload")
    assert answer.status == 422, answer.body
    problem = answer.json()
    assert problem["type"] == "/v1/problems/findings-block"
    pointers = [error["pointer"] for error in problem["errors"]]
    assert "/pools/app/servers/s1/weight" in pointers and "/pools/app/balance" in pointers
    assert all(error["message"] and error["severity"] for error in problem["errors"])
    assert proxy.status()["running"] == before
    assert get(proxy.address).body == b"still"
    drift = proxy.admin_get("/v1/drift")
    assert drift["drift"] is True and drift["builds"] is False and drift["disk"] is None
    proxy.write_config(proxy.config)
    assert proxy.admin_get("/v1/drift")["drift"] is False
    assert proxy.admin("POST", "/v1/reload").status == 200


def test_json_that_cannot_be_read_is_named_with_its_file(make_origin, make_proxy):
    proxy = make_proxy(make_origin())
    with open(f"{proxy.conf_dir}/99-broken.json", "w") as file:
        file.write('{ "pools": { "x": }')
    answer = proxy.admin("POST", "/v1/reload")
    assert answer.status == 422
    error = answer.json()["errors"][0]
    assert error["file"].endswith("99-broken.json") and error["line"] == 1


def test_drift_is_seen_and_a_reload_ends_it(make_origin, make_proxy):
    proxy = make_proxy(make_origin())
    assert proxy.admin_get("/v1/drift")["drift"] is False
    proxy.config["pools"]["app"]["balance"] = "random"
    proxy.write_config(proxy.config)
    drift = proxy.admin_get("/v1/drift")
    assert drift["drift"] is True and drift["builds"] is True and drift["next"] == "POST /v1/reload"
    assert drift["disk"] != drift["running"] == proxy.status()["running"]["digest"]
    proxy.wait_for(lambda: proxy.status()["drift"])
    answer = proxy.admin("POST", "/v1/reload")
    assert answer.status == 200 and answer.json()["digest"] == drift["disk"]
    assert proxy.admin_get("/v1/drift")["drift"] is False
    proxy.wait_for(lambda: not proxy.status()["drift"])


def test_a_reload_of_the_same_changes_nothing(make_origin, make_proxy):
    proxy = make_proxy(make_origin())
    before = proxy.status()["running"]
    answer = proxy.admin("POST", "/v1/reload", "{}")
    assert answer.status == 200 and answer.json()["changes"] == []
    after = proxy.status()["running"]
    assert after["digest"] == before["digest"] and after["since"] == before["since"]


def test_many_reloads_at_once_are_all_answered(make_origin, make_proxy):
    proxy = make_proxy(make_origin())
    clients = [Client(proxy.admin_address) for _ in range(20)]
    for client in clients:
        client.send(build("POST", "/v1/reload", host="localhost", body=b""))
    gone, rest = clients[:5], clients[5:]
    for client in gone:
        client.reset()
    assert [client.response().status for client in rest] == [200] * 15
    for client in rest:
        client.close()
    proxy.wait_for(lambda: proxy.status()["revisions_alive"] == 1)
