"""Who is not let in leaves a record: once, and then folded; nothing of a token is in it."""
from support.people import make_token


def records(proxy, event):
    answer = proxy.as_("dan").get("/v1/audit?limit=200")
    assert answer.status == 200, answer.body
    return [record for record in answer.json()["records"] if record["event"] == event]


def test_unknown_and_forbidden(make_enforced, origin):
    proxy = make_enforced([origin])
    tokens = [make_token("ann") for _ in range(5)]
    for token in tokens:
        assert proxy.with_token(token).get("/v1/status").status == 401
    assert proxy.as_("cat").post("/v1/reload").status == 403
    unknown = records(proxy, "call.unauthenticated")
    assert unknown[0]["actor"]["person"] == "nobody" and unknown[0]["actor"]["src"] == "127.0.0.1"
    assert unknown[0]["outcome"] == "denied" and unknown[0]["data"]["operation"] == "status"
    assert len(unknown) == 1  # the others are told of when the minute is over
    forbidden = records(proxy, "call.forbidden")
    assert [(row["actor"]["person"], row["data"]["operation"]) for row in forbidden] == [("cat", "reload")]
    everything = proxy.as_("dan").get("/v1/audit?limit=200").body + open(proxy.state_dir + "/audit.jsonl").read() + proxy.stderr_text()
    assert not any(token[-43:] in everything for token in [*tokens, *proxy.tokens.values()])
