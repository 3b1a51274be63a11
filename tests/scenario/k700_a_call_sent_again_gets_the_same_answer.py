"""Idempotency-Key: a repeat is answered as the first was, and does nothing; another body under it is refused."""
import threading

import pytest

BODY = {"title": "half", "reason": "a test", "patch": {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}}


@pytest.fixture
def proxy(make_origin, make_enforced):
    return make_enforced([make_origin(), make_origin()])


def changes(proxy):
    return proxy.as_("ann").get("/v1/changes").json()["changes"]


def test_a_repeat_makes_no_second_change(proxy):
    ann, key = proxy.as_("ann"), {"Idempotency-Key": "k-1"}
    first = ann.post("/v1/changes", BODY, headers=key)
    again = ann.post("/v1/changes", BODY, headers=key)
    assert first.status == again.status == 201 and first.body == again.body
    for name in ("Location", "ETag", "Content-Type"):
        assert first.headers[name] == again.headers[name]
    assert again.headers["Idempotent-Replayed"] == "true" and "Idempotent-Replayed" not in first.headers
    assert len(changes(proxy)) == 1
    quoted = ann.post("/v1/changes", BODY, headers={"Idempotency-Key": '"k-1"'})
    assert quoted.body == first.body
    other = ann.post("/v1/changes", BODY, headers={"Idempotency-Key": "k-2"})
    assert other.status == 201 and other.json()["id"] != first.json()["id"]


def test_another_call_under_the_same_key_is_refused(proxy):
    ann, key = proxy.as_("ann"), {"Idempotency-Key": "k-1"}
    first = ann.post("/v1/changes", BODY, headers=key).json()
    for method, path, body in (("POST", "/v1/changes", {**BODY, "title": "other"}), ("POST", "/v1/changes?submit=true", BODY),
                               ("POST", f"/v1/changes/{first['id']}/submit", None)):
        answer = ann.call(method, path, body, headers=key)
        assert (answer.status, answer.json()["type"]) == (422, "/v1/problems/idempotency-mismatch"), (method, path)
    assert len(changes(proxy)) == 1


def test_keys_belong_to_persons(proxy):
    key = {"Idempotency-Key": "k-1"}
    mine = proxy.as_("ann").post("/v1/changes", BODY, headers=key).json()
    yours = proxy.as_("bob").post("/v1/changes", BODY, headers=key).json()
    assert mine["id"] != yours["id"] and yours["author"] == "bob"


def test_what_was_refused_may_be_tried_again(proxy):
    ann, key = proxy.as_("ann"), {"Idempotency-Key": "k-1"}
    change = ann.submit(BODY["patch"])
    path = f"/v1/changes/{change['id']}/apply"
    assert ann.post(path, headers=key).status == 409
    proxy.approve_fully(change)
    applied = ann.post(path, headers=key)
    assert applied.status == 200, applied.body
    assert ann.post(path, headers=key).body == applied.body


def test_keys_survive_a_restart(make_origin, make_enforced):
    proxy = make_enforced([make_origin(), make_origin()])
    ann, key = proxy.as_("ann"), {"Idempotency-Key": "k-1"}
    first = ann.post("/v1/changes", BODY, headers=key)
    proxy.kill9()
    proxy.start()
    assert ann.post("/v1/changes", BODY, headers=key).body == first.body
    assert len(changes(proxy)) == 1


def test_many_at_once_do_it_once(proxy):
    ann = proxy.as_("ann")
    change = ann.submit(BODY["patch"])
    proxy.approve_fully(change)
    answers = []

    def apply():
        answers.append(ann.post(f"/v1/changes/{change['id']}/apply", headers={"Idempotency-Key": "once"}))

    threads = [threading.Thread(target=apply) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status for answer in answers} == {200}, [answer.body for answer in answers if answer.status != 200][:2]
    assert len({answer.body for answer in answers}) == 1
    assert len(ann.get("/v1/revisions").json()["revisions"]) == 2


def test_keys_have_a_form(proxy):
    for key in ("", '""', "a b", "x" * 256, "caf\xe9"):
        answer = proxy.as_("ann").post("/v1/changes", BODY, headers={"Idempotency-Key": key})
        if key:
            assert answer.status == 422, key
        else:
            assert answer.status == 201
