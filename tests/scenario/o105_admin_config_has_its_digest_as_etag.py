"""GET /v1/config gives the running configuration and its digest, whole and in parts."""
import hashlib


def test_the_text_is_what_the_digest_is_of(make_origin, make_proxy):
    proxy = make_proxy(make_origin())
    answer = proxy.admin("GET", "/v1/config")
    digest = "sha256:" + hashlib.sha256(answer.body.encode()).hexdigest()
    assert answer.headers["ETag"] == f'"{digest}"'
    assert proxy.status()["running"]["digest"] == digest
    assert answer.json()["pools"] == proxy.config["pools"]


def test_nothing_new_is_304_until_something_is(make_origin, make_proxy):
    proxy = make_proxy(make_origin())
    etag = proxy.admin("GET", "/v1/config").headers["ETag"]
    answer = proxy.admin("GET", "/v1/config", headers={"If-None-Match": etag})
    assert answer.status == 304 and answer.body == "" and answer.headers["ETag"] == etag
    part = proxy.admin("GET", "/v1/config/routes/everything").headers["ETag"]
    proxy.config["pools"]["app"]["balance"] = "random"
    assert proxy.reload().status == 200
    assert proxy.admin("GET", "/v1/config", headers={"If-None-Match": etag}).status == 200
    assert proxy.admin("GET", "/v1/config/routes/everything", headers={"If-None-Match": part}).status == 304


def test_parts(make_origin, make_proxy):
    proxy = make_proxy(make_origin())
    assert proxy.admin_get("/v1/config/process") == proxy.config["process"]
    assert proxy.admin_get("/v1/config/pools/app") == proxy.config["pools"]["app"]
    for path in ("/v1/config/nothing", "/v1/config/pools/nothing", "/v1/config/process/workers/x"):
        assert proxy.admin("GET", path).status == 404
