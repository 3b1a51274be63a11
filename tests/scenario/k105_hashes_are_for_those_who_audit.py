"""GET /v1/config shows hashes of tokens and signing keys to admin and auditor, to others "(secret)"."""
import hashlib
import json

from support.people import hash_of


def test_who_sees_hashes(make_enforced, origin):
    proxy = make_enforced(origin, config={"people": {"bob": {"signing_key": "ed25519:AAAA"}}})
    for path in ("/v1/config", "/v1/config/people", "/v1/config/people/bob"):
        full, masked = proxy.as_("dan").get(path), proxy.as_("bob").get(path)
        assert hash_of(proxy.tokens["bob"]) in full.body and "ed25519:AAAA" in full.body
        assert "sha256:" not in masked.body and "ed25519" not in masked.body
        assert masked.body.count("(secret)") >= 2
        assert masked.headers["ETag"] == full.headers["ETag"]
        assert proxy.as_("bob").get(path, headers={"If-None-Match": full.headers["ETag"]}).status == 304


def test_the_digest_is_that_of_the_real_bytes(make_enforced, origin):
    proxy = make_enforced(origin)
    full = proxy.as_("dan").get("/v1/config")
    digest = "sha256:" + hashlib.sha256(full.body.encode()).hexdigest()
    assert full.headers["ETag"] == f'"{digest}"'
    masked = proxy.as_("cat").get("/v1/config").json()
    assert masked["people"]["ann"]["tokens"] == [{"id": "test", "hash": "(secret)"}]
    assert masked["pools"] == full.json()["pools"]
    assert json.loads(full.body)["people"]["ann"]["roles"] == masked["people"]["ann"]["roles"]


def test_what_differs_is_told_without_them(make_enforced, origin):
    proxy = make_enforced(origin)
    proxy.config["people"]["ann"]["tokens"] = [{"id": "test", "hash": hash_of("tk_x")}]
    proxy.write_config(proxy.config)
    answer = proxy.as_("dan").get("/v1/drift")
    assert "(secret " in answer.body and hash_of("tk_x") not in answer.body
    assert not any(hash_of(token) in answer.body + proxy.stderr_text() for token in proxy.tokens.values())


def test_a_change_of_people_shows_no_hash(make_enforced, origin):
    proxy = make_enforced(origin)
    digest = hash_of("tk_cat_x")
    change = proxy.as_("ann").submit({"people": {"cat": {"tokens": [{"id": "new", "hash": digest}]}}})
    for path in ("", "/diff", "/findings", "/impact", "/bound"):
        for accept in ("application/json", "text/plain"):
            answer = proxy.as_("bob").get(f"/v1/changes/{change['id']}{path}", headers={"Accept": accept})
            assert digest not in answer.body, path
    assert change["patch"]["people"]["cat"]["tokens"] == [{"id": "new", "hash": "(secret)"}]
    assert digest in proxy.as_("dan").get(f"/v1/changes/{change['id']}").body
    assert digest not in proxy.as_("bob").get("/v1/changes").body + proxy.as_("dan").get("/v1/audit").body + proxy.stderr_text()
    proxy.as_("bob").approve(change)
    proxy.as_("dan").approve(change)
    proxy.as_("ann").apply(change)
    proxy.as_("ann").confirm(change)
    assert digest in proxy.as_("dan").get("/v1/config/people/cat").body
    assert digest not in proxy.as_("bob").get("/v1/revisions/1/diff/2").body
    assert digest not in proxy.as_("bob").get("/v1/revisions/2/config").body
