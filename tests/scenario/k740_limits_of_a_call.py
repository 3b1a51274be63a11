"""Bodies, nesting and the rate of calls are bounded; what is over the bound is refused, and nothing is done."""
import json
import threading

import pytest
from support.client import Client

PATCH = {"pools": {"app": {"servers": {"s1": {"weight": 50}}}}}


@pytest.fixture
def proxy(make_origin, make_enforced):
    return make_enforced([make_origin(), make_origin()])


def named(answer):
    return answer.status, answer.json()["type"].rsplit("/", 1)[1]


def test_depth(proxy):
    ann = proxy.as_("ann")
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        for depth in (100, 5000, 200000):
            body = '{"title":"x","reason":"y","patch":' + opening * depth + "1" + closing * depth + "}"
            answer = ann.post("/v1/changes", body)
            assert named(answer) == (400, "invalid-json") and answer.json()["line"] == 1, depth
    deep_text = json.dumps({"title": "[" * 200, "reason": "{\"" * 100, "patch": PATCH})
    assert ann.post("/v1/changes", deep_text).status == 201  # brackets in texts are texts
    assert len(ann.get("/v1/changes").json()["changes"]) == 1


def test_size(proxy):
    with Client(proxy.admin_address) as client:
        client.send(b"POST /v1/changes HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + proxy.tokens["ann"].encode()
                    + b"\r\nContent-Length: %d\r\n\r\n{" % (9 << 20))
        assert client.response().status == 413
    assert proxy.as_("ann").get("/v1/changes").json()["changes"] == []
    assert proxy.rss() < 300 << 20


def test_rate_of_one_person(proxy):
    """The bound is a burst of 500: what is over it is told when to come back, and another person is not disturbed."""
    slowed, counted = [], []

    def hurry():
        for _ in range(100):
            answer = proxy.as_("ann").post("/v1/changes/chg_none/submit")
            counted.append(answer.status)
            if answer.status == 429:
                slowed.append(answer)

    threads = [threading.Thread(target=hurry) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(counted) <= {404, 429} and len(counted) == 1200
    for answer in slowed:
        assert named(answer) == (429, "slow-down") and int(answer.headers["Retry-After"]) >= 1
    assert proxy.as_("bob").post("/v1/changes", {"title": "x", "reason": "y", "patch": PATCH}).status == 201
    assert proxy.as_("ann").get("/v1/changes").status == 200


def test_paths_and_parameters_are_taken_as_sent(proxy):
    ann = proxy.as_("ann")
    for path in ("/v1/changes/", "/v1//changes", "/v1/changes/../status", "/v1/changes%3Fsubmit=true", "/V1/changes"):
        assert ann.get(path).status in (404, 405), path
    assert ann.post("/v1/changes?submit=yes", {"title": "x", "reason": "y", "patch": PATCH}).status == 422
    assert ann.post("/v1/changes?dryrun=true", {"title": "x", "reason": "y", "patch": PATCH}).status == 400
    assert ann.get("/v1/changes").json()["changes"] == []
