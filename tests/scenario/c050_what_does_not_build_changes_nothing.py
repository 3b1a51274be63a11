"""A configuration that cannot run leaves everything as it was, and everybody is told why."""
import os
import socket

import pytest

from support.client import get
from support.origin import named
from support.proxy import free_port


def state(proxy):
    status = proxy.status()
    return status["running"]["generation"], status["running"]["digest"], sorted(server["name"] for server in proxy.pool()["servers"])


def spoil(config, what):
    pool, routes = config["pools"]["app"], config["routes"]
    if what == "weight":
        pool["servers"]["s1"]["weight"] = 70000
        return "/pools/app/servers/s1/weight"
    if what == "unknown key":
        pool["colour"] = "red"
        return "/pools/app/colour"
    if what == "pool that is not there":
        routes["everything"]["pool"] = "apq"
        return "/routes/everything/pool"
    if what == "regular expression":
        routes["everything"]["path_regex"] = "/a("
        return "/routes/everything/path_regex"
    if what == "bare number":
        pool["slow_start"] = 30
        return "/pools/app/slow_start"
    raise AssertionError(what)


@pytest.mark.parametrize("what", ["weight", "unknown key", "pool that is not there", "regular expression", "bare number"])
def test_by_the_api(make_proxy, make_origin, what):
    proxy = make_proxy(make_origin(named("s1")))
    before = state(proxy)
    pointer = spoil(proxy.config, what)
    answer = proxy.reload()
    assert answer.status == 422, answer.body
    problem = answer.json()
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert any(error.get("pointer") == pointer for error in problem["errors"]), problem
    assert all(error["message"] for error in problem["errors"])
    assert state(proxy) == before and get(proxy.address).body == b"s1"
    assert proxy.wait_event("config-refused")["running_generation"] == before[0]


def test_every_error_is_told(make_proxy, origin):
    proxy = make_proxy(origin)
    for what in ("weight", "unknown key", "bare number"):
        spoil(proxy.config, what)
    pointers = {error["pointer"] for error in proxy.reload().json()["errors"]}
    assert {"/pools/app/servers/s1/weight", "/pools/app/colour", "/pools/app/slow_start"} <= pointers


def test_by_signal(make_proxy, make_origin):
    proxy = make_proxy(make_origin(named("s1")))
    before = state(proxy)
    spoil(proxy.config, "weight")
    proxy.write_config(proxy.config)
    proxy.signal(1)
    proxy.wait_event("config-refused")
    assert any("70000" in line["message"] for line in proxy.log_events("config-finding"))
    assert state(proxy) == before and get(proxy.address).status == 200


def test_a_file_that_is_no_json(make_proxy, origin):
    proxy = make_proxy(origin)
    before = state(proxy)
    with open(os.path.join(proxy.conf_dir, "99-broken.json"), "w") as file:
        file.write('{"pools": {"x": }}')
    answer = proxy.admin("POST", "/v1/reload")
    assert answer.status == 422 and "99-broken.json" in answer.body
    assert state(proxy) == before
    os.unlink(os.path.join(proxy.conf_dir, "99-broken.json"))
    assert proxy.admin("POST", "/v1/reload").status == 200


def test_a_directory_that_is_gone(make_proxy, origin):
    proxy = make_proxy(origin)
    before = state(proxy)
    os.rename(proxy.conf_dir, proxy.conf_dir + ".away")
    assert proxy.admin("POST", "/v1/reload").status == 422
    os.rename(proxy.conf_dir + ".away", proxy.conf_dir)
    assert state(proxy) == before and proxy.admin("POST", "/v1/reload").status == 200


def test_an_address_that_is_taken(make_proxy, origin):
    """Nothing of that configuration is used, neither its other listener nor its servers."""
    proxy = make_proxy(origin)
    before = state(proxy)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        other = f"127.0.0.1:{free_port()}"
        proxy.config["listeners"].update({"a-fine": {"address": other}, "b-taken": {"address": address}})
        proxy.config["pools"]["app"]["servers"]["s2"] = {"address": "127.0.0.1:9"}
        descriptors = proxy.descriptors()
        for _ in range(3):
            answer = proxy.reload()
            assert answer.status in (409, 422, 500, 503) and address in answer.body and "b-taken" in answer.body, answer.body
        assert proxy.descriptors() <= descriptors + 1
        assert address in proxy.wait_event("listen-failed")["why"]
        assert state(proxy) == before and get(proxy.address).status == 200
        with socket.socket() as free:
            assert free.connect_ex(("127.0.0.1", int(other.split(":")[1]))) != 0
    assert proxy.reload().status == 200
    assert get(other).status == 200


def test_an_access_log_that_cannot_be_written(make_proxy, origin, tmp_path):
    proxy = make_proxy(origin)
    before = state(proxy)
    proxy.config["observe"]["access_log"]["path"] = str(tmp_path / "no-such-directory" / "access.log")
    answer = proxy.reload()
    assert answer.status != 200 and "no-such-directory" in answer.body, answer.body
    assert state(proxy) == before and get(proxy.address).status == 200
    assert proxy.access_log(1)


def test_the_state_of_servers_is_not_taken_from_it(make_proxy, make_origin):
    proxy = make_proxy({"s1": make_origin(named("s1")), "s2": make_origin(named("s2"))})
    proxy.config["pools"]["app"]["servers"]["s1"]["state"] = "drain"
    proxy.config["routes"]["everything"]["path_regex"] = "/a("
    assert proxy.reload().status == 422
    assert {get(proxy.address).body for _ in range(10)} == {b"s1", b"s2"}
    assert proxy.server("s1")["admin"]["state"] == "ready"
