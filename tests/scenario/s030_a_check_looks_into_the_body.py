"""expect_body: a 200 that says something else is a failure; chunks do not hide the text."""
from support.health import CHECK, Switch, checked
from support.origin import chunked, ok


def test_the_text_must_be_there(make_origin, make_proxy):
    switch = Switch(ok(b"state=ready\n"))
    origin = make_origin(checked("s1", switch))
    proxy = make_proxy([origin], pool={"health_check": {**CHECK, "expect_body": "state=ready", "host": "shop.example.com"}})
    proxy.wait_event("server-up", server="s1")
    asked = next(request for request in origin.requests if request.target == "/healthz")
    assert asked.header("host") == "shop.example.com"
    assert asked.header("user-agent").startswith("twokey-check/")
    switch.now = ok(b"state=starting\n")
    event = proxy.wait_event("server-down", server="s1")
    assert (event["why"], event["status"]) == ("the body lacks the expected text", 200)
    switch.now = chunked([b"state", b"=rea", b"dy"])
    proxy.wait_for(lambda: proxy.server("s1")["oper"]["health"] == "up")
