"""/healthz, /v1/status and / tell what runs, to programs and to people."""
import re

from support.client import Client, build, get


def test_status_counts_connections_and_knows_the_configuration(make_origin, make_proxy):
    proxy = make_proxy(make_origin())
    assert proxy.admin("GET", "/healthz").body == "ok\n"
    with Client(proxy.address) as one, Client(proxy.address) as two:
        for client in (one, two):
            client.send(build())
            assert client.response().status == 200
        status = proxy.wait_for(lambda: (s := proxy.status())["connections"]["open"] == 2 and s)
        assert proxy.wait_for(lambda: proxy.status()["connections"]["idle"] == 2)
    assert status["workers"] == 2
    assert status["mode"] == "off"
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", status["running"]["digest"])
    assert status["running"]["generation"] >= 1
    assert status["running"]["since"].endswith("Z")
    assert status["drift"] is False
    assert status["revisions_alive"] == 1
    proxy.wait_for(lambda: proxy.status()["connections"]["open"] == 0)


def test_the_rate_of_requests_shows_within_seconds(make_origin, make_proxy):
    proxy = make_proxy(make_origin())
    with Client(proxy.address) as client:
        for _ in range(100):
            client.send(build())
            assert client.response().status == 200
    assert proxy.wait_for(lambda: proxy.status()["requests_per_second"] > 0)


def test_people_get_text(make_origin, make_proxy):
    proxy = make_proxy(make_origin())
    answer = proxy.admin("GET", "/v1/status", headers={"Accept": "text/plain"})
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "configuration  generation " in answer.body
    assert re.search(r"^connections    \d+ open, \d+ of them idle$", answer.body, re.M)


def test_the_front_page_lists_every_call(make_origin, make_proxy):
    proxy = make_proxy(make_origin())
    page = proxy.admin("GET", "/").body
    for path in proxy.admin_get("/v1/openapi.json")["paths"]:
        assert path in page
    assert f"http://{proxy.admin_address}/v1/status" in page


def test_head_is_get_without_the_body(make_origin, make_proxy):
    proxy = make_proxy(make_origin())
    answer = proxy.admin("HEAD", "/v1/status")
    assert answer.status == 200 and answer.body == ""
    assert int(answer.headers["Content-Length"]) > 100
    assert get(proxy.address).status == 200
