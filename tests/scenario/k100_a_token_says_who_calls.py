"""Where people are configured, a call needs a token; it says who calls, and nothing of it is repeated."""
import pytest


@pytest.fixture
def proxy(make_enforced, origin):
    return make_enforced(origin)


def test_a_token_is_its_person(proxy):
    me = proxy.as_("bob").get("/v1/whoami").json()
    assert me["person"] == "bob" and me["kind"] == "human"
    assert me["roles"] == ["author", "operator", "approver"]
    assert (me["auth"], me["principal"], me["source"]) == ("token", "token:test", "127.0.0.1")
    service = proxy.as_("ci").get("/v1/whoami").json()
    assert (service["person"], service["kind"], service["owner"]) == ("ci", "service", "ann")


def test_without_one_the_call_is_refused(proxy):
    for path in ("/v1/status", "/v1/config", "/v1/whoami", "/metrics", "/v1/pools/app"):
        answer = proxy.nobody().get(path)
        assert answer.status == 401, path
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.json()["type"] == "/v1/problems/unauthenticated"
    assert proxy.nobody().post("/v1/reload").status == 401


def test_what_helps_and_what_watches_needs_none(proxy):
    for path in ("/", "/healthz", "/v1/openapi.json", "/v1/problems", "/v1/problems/forbidden"):
        assert proxy.nobody().get(path).status == 200, path


def test_a_token_that_is_nobodys_is_refused_and_not_repeated(proxy):
    known = proxy.tokens["ann"]
    for token in (known[:-1], known + "A", known.replace("tk_ann_", "tk_bob_"), known.upper(), "tk_", "x" * 5000):
        answer = proxy.with_token(token).get("/v1/status")
        assert answer.status == 401
        assert token not in answer.body
    assert proxy.wait_event("login-refused")["source"] == "127.0.0.1"
    said = proxy.stderr_text()
    assert not any(token in said for token in (*proxy.tokens.values(), known[:-1]))


def test_a_token_that_names_somebody_else_is_nobodys(make_enforced, origin):
    """Ann's token under bob's name would make her two people."""
    from support.people import hash_of, make_token
    token = make_token("ann")
    proxy = make_enforced(origin, config={"people": {"bob": {"tokens": [hash_of(token)]}}})
    assert proxy.with_token(token).get("/v1/whoami").status == 401


@pytest.mark.parametrize("what", [{"disabled": True}, {"revoked_since": "2026-01-01T00:00:00Z"}])
def test_who_is_disabled_or_revoked_is_refused(make_enforced, origin, what):
    proxy = make_enforced(origin, config={"people": {"cat": what}})
    assert proxy.as_("cat").get("/v1/status").status == 401
    assert proxy.as_("bob").get("/v1/status").status == 200


def test_metrics_may_be_public(make_enforced, origin):
    proxy = make_enforced(origin, config={"admin": {"metrics_public": True}})
    assert proxy.nobody().get("/metrics").status == 200
    assert proxy.nobody().get("/v1/status").status == 401


def test_where_nobody_is_configured_everybody_here_is_local(make_proxy, origin):
    me = make_proxy(origin).admin_get("/v1/whoami")
    assert (me["person"], me["auth"]) == ("local", "none")
    assert me["roles"] == ["viewer", "author", "operator", "auditor"]


def test_a_body_of_somebody_unknown_is_not_kept(proxy):
    before = proxy.rss()
    for _ in range(5):
        assert proxy.nobody().post("/v1/explain", " " * (7 << 20)).status == 401
    assert proxy.rss() - before < 4 << 20
