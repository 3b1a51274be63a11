"""Past 10 failed tries a minute an address gets 429 for further failures; a valid token always passes."""
import pytest
from support.people import make_token


@pytest.mark.race
def test_ten_tries_a_minute(make_enforced, origin):
    proxy = make_enforced(origin)
    statuses = [proxy.with_token(make_token("ann")).get("/v1/status").status for _ in range(14)]
    assert statuses[:10] == [401] * 10
    assert statuses[10:] == [429] * 4
    answer = proxy.with_token(make_token("bob")).get("/v1/status")
    assert answer.status == 429 and answer.json()["type"] == "/v1/problems/slow-down"
    assert 0 < int(answer.headers["Retry-After"]) <= 61
    assert proxy.as_("ann").get("/v1/status").status == 200


def test_who_only_forgot_the_token_is_not_counted(make_enforced, origin):
    proxy = make_enforced(origin)
    assert {proxy.nobody().get("/v1/status").status for _ in range(20)} == {401}


def test_another_address_is_another_count(make_enforced, origin):
    proxy = make_enforced(origin)
    for _ in range(12):
        proxy.with_token(make_token("ann")).get("/v1/status")
    assert proxy.with_token(make_token("ann"), on_socket=True).get("/v1/status").status == 401
